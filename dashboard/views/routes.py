"""Routes: which alerts go to which channels, and when."""

from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from alerts.models import Route
from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import opened_dialog, performed
from dashboard.alerts.route_acts import ADD, ROUTE_ACTS
from dashboard.alerts.routes_table import ROUTE_PARTS, routes_table, words
from dashboard.exports import exported
from keys.books.queries.pages import latest_history
from security.audit_changes import changes

tables.register("routes", routes_table, permission="alerts.view_channel")
_METHODS = ["GET", "HEAD", "POST"]
_SHOWN = 10


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("alerts.view_channel", raise_exception=True)
@exported("routes")
def routes(request: HttpRequest) -> HttpResponse:
    """GET /alerts/routes: the list; `act=add` opens the dialog. POST: add a route."""
    acts = [ADD] if ADD.is_for(request.user, None) else []
    dialog = opened_dialog(request, acts, None)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, None):
            return redirect(links.url("routes"))
    context = {
        "table": routes_table(request.user, request.GET, timezone.now()),
        "acts": acts,
        "dialog": dialog,
    }
    return render(request, "dashboard/alerts/routes.html", context)


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("alerts.view_channel", raise_exception=True)
def route(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /alerts/routes/<id>: the page; `act` opens the dialog of an act. POST: do it."""
    rows = visible_to(request.user, Route.objects.prefetch_related(*ROUTE_PARTS))
    found = get_object_or_404(rows, pk=pk)
    acts = [act for act in ROUTE_ACTS if act.is_for(request.user, found)]
    dialog = opened_dialog(request, acts, found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, found):
            return redirect(links.url("route", found.pk))
    context: dict[str, Any] = {
        "route": found,
        "words": words(found),
        "acts": acts,
        "dialog": dialog,
    }
    if request.user.has_perm("security.view_auditentry"):
        entries = latest_history(about=found.address, most=_SHOWN)
        context["history"] = [{"entry": entry, "changes": changes(entry)} for entry in entries]
    return render(request, "dashboard/alerts/route.html", context)
