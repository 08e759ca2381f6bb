"""A refund or a payout: what moves, what came of it, and what people may do about it."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import links
from common.admin.visible_rows import visible_to
from dashboard.acts import Act, opened_dialog, performed
from dashboard.treasury.payout_acts import PAYOUT_ACTS
from dashboard.treasury.refund_acts import REFUND_ACTS
from keys.books.queries.pages import latest_history
from treasury.models import Payout, Refund

_SHOWN = 20


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("treasury.view_refund", raise_exception=True)
def refund(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /treasury/refunds/7: its timeline; `act` opens a dialog. POST: do what it asks."""
    rows = Refund.objects.select_related("transfer__debit", "returned")
    return _page(request, rows, pk, kind="refund", acts=REFUND_ACTS)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("treasury.view_payout", raise_exception=True)
def payout(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /treasury/payouts/7: as that of a refund."""
    rows = Payout.objects.select_related("rail_account", "transfer__debit", "returned")
    return _page(request, rows, pk, kind="payout", acts=PAYOUT_ACTS)


def _page(
    request: HttpRequest, rows: QuerySet[Any], pk: int, *, kind: str, acts: Sequence[Act]
) -> HttpResponse:
    found = get_object_or_404(visible_to(request.user, rows), pk=pk)
    open_acts = [act for act in acts if act.is_for(request.user, found)]
    dialog = opened_dialog(request, open_acts, found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, found):
            return redirect(links.url(kind, pk))
    context: dict[str, object] = {kind: found, "acts": open_acts, "dialog": dialog}
    if request.user.has_perm("security.view_auditentry"):
        context["history"] = latest_history(about=found.address, most=_SHOWN)
    return render(request, f"dashboard/treasury/{kind}.html", context)
