"""Statements of rails and banks: what was imported, and one of them beside the ledger."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import opened_dialog, performed
from dashboard.exports import exported
from dashboard.rail_statements.acts import STATEMENT_ACTS
from dashboard.rail_statements.tables import lines_table, statements_table
from treasury.models import RailStatement
from treasury.queries.rail_statements import rail_statements as all_statements
from treasury.queries.rail_statements import statement_balance

tables.register("rail-statements", statements_table, permission="treasury.view_railstatement")
_DIFFERENCES = 20


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("treasury.view_railstatement", raise_exception=True)
@exported("rail-statements")
def rail_statements(request: HttpRequest) -> HttpResponse:
    """GET /treasury/statements: the statements of all rails; `act` opens a dialog. POST: do what it
    asks."""
    acts = [act for act in STATEMENT_ACTS if act.is_for(request.user, None)]
    dialog = opened_dialog(request, acts, None)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, None):
            return redirect(links.url("rail_statements"))
    context = {
        "acts": acts,
        "dialog": dialog,
        "has_statements": RailStatement.objects.exists(),
        "statements": statements_table(request.user, request.GET, timezone.now()),
    }
    return render(request, "dashboard/rail_statements/list.html", context)


@never_cache
@require_safe
@staff_member_required
@permission_required("treasury.view_railstatement", raise_exception=True)
def rail_statement(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /treasury/statements/7: its balances beside the ledger, its differences and its lines."""
    found = get_object_or_404(visible_to(request.user, all_statements()), pk=pk)
    context = {
        "statement": found,
        "balance": statement_balance(found),
        "differences": found.differences.exclude(status="gone").order_by("-status", "day", "pk")[
            :_DIFFERENCES
        ],
        "lines": lines_table(found, request.GET),
    }
    return render(request, "dashboard/rail_statements/statement.html", context)
