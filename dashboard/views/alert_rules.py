"""Rules: what Butler watches and tells people of."""

from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from alerts import rules
from alerts.models import AlertRule
from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import opened_dialog, performed
from dashboard.alerts.rule_acts import ADD, RULE_ACTS
from dashboard.alerts.rules_table import rules_table, words
from dashboard.exports import exported
from keys.books.queries.pages import latest_history
from security.audit_changes import changes

tables.register("alert-rules", rules_table, permission="alerts.view_channel")
_METHODS = ["GET", "HEAD", "POST"]
_SHOWN = 10


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("alerts.view_channel", raise_exception=True)
@exported("alert-rules")
def alert_rules(request: HttpRequest) -> HttpResponse:
    """GET /alerts/rules: the list, and what can be watched; `act=add` opens the dialog, for `kind`.
    POST: add a rule."""
    acts = [ADD] if ADD.is_for(request.user, None) else []
    dialog = opened_dialog(request, acts, None)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, None):
            return redirect(links.url("alert_rules"))
    context = {
        "table": rules_table(request.user, request.GET, timezone.now()),
        "kinds": rules.all_kinds().values(),
        "acts": acts,
        "dialog": dialog,
    }
    return render(request, "dashboard/alerts/rules.html", context)


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("alerts.view_channel", raise_exception=True)
def alert_rule(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /alerts/rules/<id>: the page; `act` opens the dialog of an act. POST: do it."""
    found = get_object_or_404(visible_to(request.user, AlertRule.objects.all()), pk=pk)
    acts = [act for act in RULE_ACTS if act.is_for(request.user, found)]
    dialog = opened_dialog(request, acts, found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, found):
            return redirect(links.url("alert_rule", found.pk))
    context: dict[str, Any] = {
        "rule": found,
        "words": words(found),
        "incidents": found.incidents.select_related("alert")[:_SHOWN],
        "acts": acts,
        "dialog": dialog,
    }
    if request.user.has_perm("security.view_auditentry"):
        entries = latest_history(about=found.address, most=_SHOWN)
        context["history"] = [{"entry": entry, "changes": changes(entry)} for entry in entries]
    return render(request, "dashboard/alerts/rule.html", context)
