"""Scheduled reports: the person's own, and one of them with what was sent."""

from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import links
from dashboard import tables
from dashboard.acts import opened_dialog, performed
from dashboard.exports import exported
from dashboard.report_schedules.acts import ACTS, ADD
from dashboard.report_schedules.tables import (
    receivers,
    report_runs_table,
    report_schedules_table,
    when,
)
from reports.models import ReportSchedule

_METHODS = ["GET", "HEAD", "POST"]
# Each person has rows of their own: the builders ask for them.
tables.register("report-schedules", report_schedules_table, permission="keys.view_charge")
tables.register("report-runs", report_runs_table, permission="keys.view_charge")


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@exported("report-schedules")
def report_schedules(request: HttpRequest) -> HttpResponse:
    """GET /reports/schedules: the list; `act=add` opens the dialog. POST: add one."""
    dialog = opened_dialog(request, [ADD], request.user)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, request.user):
            return redirect(links.url("report_schedules"))
    context = {
        "table": report_schedules_table(request.user, request.GET, timezone.now()),
        "acts": [ADD],
        "dialog": dialog,
    }
    return render(request, "dashboard/report_schedules/list.html", context)


@never_cache
@require_http_methods(_METHODS)
@staff_member_required
@exported("report-runs")
def report_schedule(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /reports/schedules/7: its runs; `act` opens the dialog of an act. POST: do it."""
    found = get_object_or_404(ReportSchedule, owner=request.user, pk=pk)
    acts = [act for act in ACTS if act.is_for(request.user, found)]
    dialog = opened_dialog(request, acts, found)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, found):
            is_deleted = dialog.act.name == "delete"
            there = links.url("report_schedules") if is_deleted else request.path
            return redirect(there)
    query = request.GET.copy()
    query["pk"] = str(pk)
    context = {
        "schedule": found,
        "when": when(found),
        "receivers": receivers(found),
        "table": report_runs_table(request.user, query, timezone.now()),
        "acts": acts,
        "dialog": dialog,
    }
    return render(request, "dashboard/report_schedules/detail.html", context)
