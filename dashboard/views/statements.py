"""The charge-back statement of a cost centre for a closed month."""

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from common.admin.visible_rows import visible_to
from dashboard import organisation, tables
from dashboard.exports import exported
from dashboard.month_closes.statements import statement_table, table_of
from dashboard.views.month_closes import month_of
from keys.models import CostCentre
from reports.queries.month_closes import standing_close
from reports.queries.statements import statement

tables.register("statement", statement_table, permission="reports.view_closeline")


@never_cache
@require_safe
@staff_member_required
@permission_required("reports.view_closeline", raise_exception=True)
@exported("statement")
def centre_statement(request: HttpRequest, month: str, centre: str) -> HttpResponse:
    """GET /reports/statements/2026-10/research: the statement, to read and to print."""
    close = standing_close(month_of(month))
    if close is None:
        raise Http404
    payer = get_object_or_404(visible_to(request.user, CostCentre.objects.all()), pk=centre)
    found = statement(close, payer.pk)
    context = {
        "statement": found,
        "close": close,
        "payer": payer,
        "organisation": organisation.name(request),
        "table": table_of(found.lines, title=f"Statement of {payer.pk} for {month}"),
    }
    return render(request, "dashboard/month_closes/statement.html", context)
