"""Months of the books: which are closed; and one of them, with its checklist and signatures."""

from datetime import date, datetime

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import opened_dialog, performed
from dashboard.exports import exported
from dashboard.month_closes.acts import ACTS, Month
from dashboard.month_closes.detail import detail
from dashboard.month_closes.table import month_table
from dashboard.organisation import organisation_of
from reports.models import MonthClose
from reports.month_periods import MonthPeriod
from reports.queries.charge_back import unallocated_now
from reports.queries.month_closes import (
    checklist,
    last_close,
    period_to_close,
    unallocated_item,
)

_FIRST_YEAR, _LAST_YEAR = 2000, 8999
tables.register("month-closes", month_table, permission="reports.view_monthclose")


@never_cache
@require_safe
@staff_member_required
@permission_required("reports.view_monthclose", raise_exception=True)
@exported("month-closes")
def month_closes(request: HttpRequest) -> HttpResponse:
    """GET /reports/months: the months."""
    context = {"table": month_table(request.user, request.GET, timezone.now())}
    return render(request, "dashboard/month_closes/list.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("reports.view_monthclose", raise_exception=True)
def month_close(request: HttpRequest, month: str) -> HttpResponse:
    """GET /reports/months/2026-10: the month; `act` opens the dialog of an act. POST: do it."""
    now = timezone.now()
    found = _month(request, month_of(month), now)
    acts = [act for act in ACTS if act.is_for(request.user, found)]
    dialog = opened_dialog(request, acts, found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, found):
            return redirect(links.url("month", month))
    context = {"acts": acts, "dialog": dialog, **detail(request.user, found)}
    return render(request, "dashboard/month_closes/detail.html", context)


def month_of(text: str) -> date:
    """The first day of a month such as `2026-10`; Http404 if it is none."""
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise Http404 from None
    if not _FIRST_YEAR <= first.year <= _LAST_YEAR:
        raise Http404
    return first


def _month(request: HttpRequest, first: date, now: datetime) -> Month:
    close = visible_to(request.user, MonthClose.objects.standing().filter(month=first)).first()
    if close:
        period = MonthPeriod(close.month, close.zone, close.starts_at, close.ends_at)
        last = last_close()
        return Month(period, close, [], bool(last and last.pk == close.pk))
    settings = organisation_of(request)
    period = period_to_close(first, settings)
    items = [
        *checklist(period, settings, now=now),
        unallocated_item(unallocated_now(period)),
    ]
    return Month(period, None, items, is_latest=False)
