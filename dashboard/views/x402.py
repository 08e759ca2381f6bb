"""Payments of agents to services that answer HTTP 402."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import opened_dialog, performed
from dashboard.exports import exported
from dashboard.tables import Cell, Column, Row, Table
from dashboard.treasury.x402_acts import X402_ACTS
from treasury.models import RailAccount, X402Allowance, X402Payment
from treasury.models.amounts import ZERO

_MOST = 10_000
_COLUMNS = (
    Column("payment", "Payment"),
    Column("status", "Status", "status"),
    Column("agent", "Agent", "link"),
    Column("amount", "Amount", "money", "USDC", total=True),
    Column("money", "Money", "status"),
    Column("to", "Paid to"),
    Column("resource", "For"),
    Column("at", "Signed", "moment"),
    Column("until", "Expires", "moment"),
    Column("transaction", "Transaction", sortable=False),
)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("treasury.view_x402payment", raise_exception=True)
@exported("x402-payments")
def x402(request: HttpRequest) -> HttpResponse:
    """GET /treasury/x402: allowances and payments; `act` opens a dialog. POST: do what it asks."""
    acts = [act for act in X402_ACTS if act.is_for(request.user, None)]
    dialog = opened_dialog(request, acts, None)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, None):
            return redirect(links.url("x402"))
    context = {
        "acts": acts,
        "dialog": dialog,
        "allowances": visible_to(request.user, X402Allowance.objects.all())[:50],
        "has_wallet": RailAccount.objects.filter(kind="x402").exists(),
        "table": payments_table(request.user, request.GET, timezone.now()),
    }
    return render(request, "dashboard/treasury/x402.html", context)


def payments_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """Payments to services, the latest first."""
    found = visible_to(user, X402Payment.objects.all())
    rows: list[Row] = [
        {
            "payment": each.pk,
            "status": each.status,
            "agent": Cell(each.agent_id, links.url("agent", each.agent_id)),
            "amount": each.amount,
            "money": "play money",
            "to": each.pay_to,
            "resource": each.resource,
            "at": each.signed_at,
            "until": each.expires_at,
            "transaction": each.transaction or each.last_error,
        }
        for each in found.defer("asked", "header", "receipt")[:_MOST]
    ]
    return tables.paged(
        Table(
            name="x402-payments",
            title="Payments to services",
            columns=_COLUMNS,
            rows=rows,
            sort="-payment",
            totals={"amount": sum((tables.value(row, "amount") for row in rows), ZERO)},
            empty="No agent has paid a service yet.",
        ),
        query,
    )


tables.register("x402-payments", payments_table, permission="treasury.view_x402payment")
