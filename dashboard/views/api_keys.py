"""API keys: the list, worst first, and the page of one with what people may do to it."""

from datetime import datetime
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from common import links
from common.admin.visible_rows import visible_to
from dashboard import live, organisation, tables
from dashboard.acts import opened_dialog, performed
from dashboard.api_keys.acts import ACTS
from dashboard.api_keys.detail import detail
from dashboard.api_keys.key_tables import (
    allocations_table,
    charges_table,
    rotations_table,
)
from dashboard.api_keys.table import keys_table, shown_lines, table_of
from dashboard.exports import exported
from dashboard.row_tables import of_row
from dashboard.table_context import row_ids, table_context
from keys.books.queries.key_use import is_lent_key
from keys.models import ApiKey

tables.register("keys", keys_table, permission="keys.view_apikey")
_TABLES_OF_KEY = {
    "key-charges": of_row(ApiKey, charges_table, permission="keys.view_charge"),
    "key-allocations": of_row(ApiKey, allocations_table, permission="keys.view_allocation"),
    "key-rotations": of_row(ApiKey, rotations_table, permission="keys.view_allocation"),
}
for _name, _builder in _TABLES_OF_KEY.items():
    tables.register(_name, _builder, permission="keys.view_apikey")


@never_cache
@require_safe
@staff_member_required
@permission_required("keys.view_apikey", raise_exception=True)
@exported("keys")
def keys(request: HttpRequest) -> HttpResponse:
    """GET /keys: the keys at which something happens, or those asked for."""
    now = timezone.now()
    lines, idle = shown_lines(request.user, request.GET, now)
    table = tables.paged(table_of(lines, now), request.GET)
    context = {
        "table": table,
        "idle": idle,
        "has_keys": bool(lines or idle) or ApiKey.objects.exists(),
        "own_view": bool(request.GET),
        "rows_of_page": row_ids(table),
    }
    return render(request, "dashboard/keys/list.html", context)


def _fragments(request: HttpRequest, now: datetime) -> str:
    """Each row by itself, so that none moves; also of idle keys, which may have been at work when
    the page was loaded. And which rows the page would have now."""
    lines, _ = shown_lines(request.user, {"idle": "1"}, now)
    busy = [line for line in lines if not line.is_idle]
    context = table_context(table_of(lines, now), request, organisation.zone(request))
    context["idle"] = len(lines) - len(busy)
    context["rows_of_page"] = row_ids(tables.paged(table_of(busy, now), {}))
    return render_to_string("dashboard/live/keys.html", context, request)


live.register("keys", permission="keys.view_apikey", fragments=_fragments)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("keys.view_apikey", raise_exception=True)
@exported(*_TABLES_OF_KEY)
def key(request: HttpRequest, slug: str) -> HttpResponse:
    """GET /keys/<slug>: the page; `act` opens the dialog of an act. POST: do it."""
    rows = ApiKey.objects.annotate(newest_run=Max("rotation_runs"), was_lent=is_lent_key())
    seen = visible_to(request.user, rows)
    api_key = get_object_or_404(seen, pk=slug)
    acts = [act for act in ACTS if act.is_for(request.user, api_key)]
    dialog = opened_dialog(request, acts, api_key)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, api_key):
            return redirect(links.url("key", slug))
    context: dict[str, Any] = {"api_key": api_key, "acts": acts, "dialog": dialog}
    zone = organisation.zone(request)
    context |= detail(request.user, api_key, zone=zone, now=timezone.now())
    return render(request, "dashboard/keys/detail.html", context)
