"""Reconciliation: the worklist of differences between bills and charges, and one of them."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import opened_dialog, performed
from dashboard.exports import exported
from dashboard.reconciliation.acts import DIFFERENCE_ACTS, OFFICE_ACTS
from dashboard.reconciliation.tables import asked_filters, differences_table, runs_table
from treasury.models import Difference, DifferenceStatus, ProviderReport
from treasury.queries import fetched_reports, has_rail_statements, statements_to_match
from treasury.rail_statements.matching import RailDifferenceKind
from treasury.reconciliation.differences import DifferenceKind

tables.register("differences", differences_table, permission="treasury.view_difference")
tables.register("reconciliation-runs", runs_table, permission="treasury.view_reconciliationrun")
# Of bills first; those of rails that have other names.
_KINDS = list(dict.fromkeys([*DifferenceKind, *RailDifferenceKind]))
_METHODS = ["GET", "HEAD", "POST"]


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("treasury.view_difference", raise_exception=True)
@exported("differences", "reconciliation-runs")
def reconciliation(request: HttpRequest) -> HttpResponse:
    """GET /treasury/reconciliation: differences by provider, status, kind and day, and
    comparisons; `act` opens a dialog. POST: do what it asks."""
    acts = [act for act in OFFICE_ACTS if act.is_for(request.user, None)]
    dialog = opened_dialog(request, acts, None)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, None):
            return redirect(links.url("reconciliation"))
    now = timezone.now()
    context = {
        "acts": acts,
        "dialog": dialog,
        "asked": asked_filters(request.GET),
        "providers": ProviderReport.objects.values_list("provider_id", flat=True)
        .distinct()
        .order_by("provider_id"),
        "accounts": statements_to_match().values_list("name", flat=True),
        "kinds": [(kind, kind.replace("_", " ")) for kind in _KINDS],
        "statuses": [*DifferenceStatus.values, "all"],
        "has_reports": ProviderReport.objects.exists() or has_rail_statements(),
        "fetched": fetched_reports(),
        "differences": differences_table(request.user, request.GET, now),
        "runs": runs_table(request.user, request.GET, now),
    }
    return render(request, "dashboard/reconciliation/list.html", context)


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@permission_required("treasury.view_difference", raise_exception=True)
def difference(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /treasury/reconciliation/7: both sides and the evidence; `act` opens a dialog.
    POST: do what it asks."""
    rows = Difference.objects.select_related("run", "transfer", "account", "line", "own_transfer")
    found = get_object_or_404(visible_to(request.user, rows), pk=pk)
    acts = [act for act in DIFFERENCE_ACTS if act.is_for(request.user, found)]
    dialog = opened_dialog(request, acts, found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, found):
            return redirect(links.url("difference", pk))
    context = {
        "difference": found,
        "kind": found.kind.replace("_", " "),
        "acts": acts,
        "dialog": dialog,
    }
    return render(request, "dashboard/reconciliation/difference.html", context)
