"""The spend explorer: what was spent, by whom and on what, in any days."""

from datetime import datetime
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import live, tables
from dashboard.exports import exported
from dashboard.organisation import organisation_of
from dashboard.spend.breakdown import breakdown
from dashboard.spend.controls import chips, controls
from dashboard.spend.query import spend_query
from dashboard.spend.spend_chart import spend_chart
from dashboard.spend.spend_table import headline, spend_table, table_of
from reports.queries import notes_between

tables.register("spend", spend_table, permission="keys.view_charge")


@never_cache
@require_safe
@staff_member_required
@permission_required("keys.view_charge", raise_exception=True)
@exported("spend")
def spend(request: HttpRequest) -> HttpResponse:
    """GET /spend: the view that the query parameters ask for."""
    context = _figures(request, timezone.now())
    view = context["view"]
    context |= {
        "chips": chips(view, lambda each: each.url),
        "own_view": bool(request.GET),
    }
    return render(request, "dashboard/spend.html", context)


def _figures(request: HttpRequest, now: datetime) -> dict[str, Any]:
    organisation = organisation_of(request)
    view = spend_query(request.user, request.GET, organisation=organisation, now=now)
    parts, notes = breakdown(view), list(notes_between(view.days.starts_on, view.days.ends_on))
    return {
        "view": view,
        "controls": controls(view),
        "headline": headline(parts),
        "estimated_max": organisation.estimated_share_warning_percent,
        "chart": spend_chart(parts, notes=notes, now=now),
        "notes": notes,
        "table": table_of(parts, request.GET),
    }


def _fragments(request: HttpRequest, now: datetime) -> str:
    return render_to_string("dashboard/live/spend.html", _figures(request, now), request)


live.register("spend", permission="keys.view_charge", fragments=_fragments)
