"""The Overview: what to decide, the month so far, who moved it, what runs, and what is left."""

from datetime import datetime
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import live
from dashboard.organisation import organisation_of
from dashboard.overview.sections import sections
from dashboard.overview.to_decide import approvals_of, to_decide


@never_cache
@require_safe
@staff_member_required
def overview(request: HttpRequest) -> HttpResponse:
    """GET /: the page; `by` is what its bars are stacked by."""
    now = timezone.now()
    context = _shared(request, now)
    context["own"] = approvals_of(request.user, now=now)
    context["own_view"] = bool(request.GET)
    return render(request, "dashboard/overview.html", context)


def _shared(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """What does not depend on the person. Their approvals do: they may not decide their own."""
    user, organisation = request.user, organisation_of(request)
    stack = request.GET.get("by", "")
    context = sections(user, stack=stack, organisation=organisation, now=now)
    context["to_decide"] = to_decide(user, organisation=organisation, now=now)
    return context


def _fragments(request: HttpRequest, now: datetime) -> str:
    return render_to_string("dashboard/live/overview.html", _shared(request, now), request)


live.register("overview", permission="", fragments=_fragments)
