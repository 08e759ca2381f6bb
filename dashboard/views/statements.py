"""Charge-back statements: the list of them, and the one of a cost centre for a closed month."""

from decimal import Decimal
from typing import NamedTuple

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from common import links
from common.admin.visible_rows import visible_to
from dashboard import organisation, tables
from dashboard.acts import opened_dialog, performed
from dashboard.charge_back.acts import NOTE
from dashboard.charge_back.tables import statements_table
from dashboard.exports import csv_files, exported
from dashboard.month_closes.statements import statement_table, table_of
from dashboard.views.month_closes import month_of
from gate.queries import bindings
from keys.models import CostCentre
from reports.queries.month_closes import standing_close
from reports.queries.statements import OWN_PARTS, Statement, statement
from reports.statement_files import signed_statement

_VIEW = "reports.view_closeline"
tables.register("statement", statement_table, permission=_VIEW)
tables.register("statements", statements_table, permission=_VIEW)


@never_cache
@require_safe
@staff_member_required
@permission_required(_VIEW, raise_exception=True)
@exported("statements")
def statements(request: HttpRequest) -> HttpResponse:
    """GET /reports/statements: the statements of closed months."""
    context = {"table": statements_table(request.user, request.GET, timezone.now())}
    return render(request, "dashboard/month_closes/statements.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required(_VIEW, raise_exception=True)
@exported("statement")
def centre_statement(request: HttpRequest, month: str, centre: str) -> HttpResponse:
    """GET /reports/statements/2026-10/research: the statement, to read and to print.

    `act` opens the dialog of its note. POST: write it.
    """
    payer, found = _statement(request, month, centre)
    acts = [NOTE] if NOTE.is_for(request.user, found) else []
    dialog = opened_dialog(request, acts, found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, found):
            return redirect(links.url("statement", month, centre))
    context = {
        "statement": found,
        "parts": _parts(found),
        "close": found.close,
        "payer": payer,
        "organisation": organisation.name(request),
        "table": table_of(found, title=f"Statement of {payer.pk} for {month}"),
        "acts": acts,
        "dialog": dialog,
    }
    return render(request, "dashboard/month_closes/statement.html", context)


@never_cache
@require_safe
@staff_member_required
@permission_required(_VIEW, raise_exception=True)
def signed_csv(request: HttpRequest, month: str, centre: str) -> HttpResponse:
    """GET /reports/statements/2026-10/research/signed: the statement as a signed CSV file."""
    _, found = _statement(request, month, centre)
    if not found.is_whole:
        raise Http404
    text = signed_statement(found, organisation=organisation.name(request), now=timezone.now())
    answer = HttpResponse(text, content_type=csv_files.MEDIA_TYPE)
    name = f"statement-{month}-{centre}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


class Part(NamedTuple):
    """A part of the total, beside that of the month before; in USD."""

    name: str
    note: str
    amount: Decimal
    previous: Decimal | None

    @property
    def change(self) -> Decimal | None:
        """What it is more than in the month before; None if that was not closed."""
        return None if self.previous is None else self.amount - self.previous


_PARTS = (
    ("usage", "Usage", ""),
    ("corrections", "Corrections", "of months closed before"),
    ("shared", "Shared costs", "taken from others, less what is given to them"),
    ("mark_up", "Mark-up", "below zero it is a discount"),
    ("total", "Total", ""),
)


def _parts(found: Statement) -> list[Part]:
    previous = found.previous
    return [
        Part(label, note, getattr(found, name), getattr(previous, name) if previous else None)
        for name, label, note in _PARTS
    ]


def _statement(request: HttpRequest, month: str, centre: str) -> tuple[CostCentre, Statement]:
    close = standing_close(month_of(month))
    if close is None:
        raise Http404
    payer = get_object_or_404(CostCentre, pk=centre)
    found = statement(close, centre, within=bindings(request.user) or None)
    if any(line.part in OWN_PARTS for line in found.lines):
        return payer, found
    # Nothing was spent where the person sees it: only that of a cost centre of theirs is empty.
    if not found.is_whole or not visible_to(request.user, CostCentre.objects.filter(pk=centre)):
        raise Http404
    return payer, found
