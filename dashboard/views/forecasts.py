"""Forecasts: versions, how they did, and which one is used."""

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
from dashboard.forecasts.acts import FORECAST_ACTS
from dashboard.forecasts.anomaly_acts import ANOMALY_ACTS, SeenAnomalies
from dashboard.forecasts.anomaly_tables import anomalies_table, expected_table
from dashboard.forecasts.drift_chart import drift_chart
from dashboard.forecasts.reliability_chart import reliability_chart
from dashboard.forecasts.tables import groups_table, versions_table, work_table
from dashboard.forecasts.task_table import forecast_tasks_table
from prediction.models import Anomaly, AnomalyFreeze, ExpectedAnomaly, ForecastModel
from prediction.queries.calibration import forecasted, outcome, within_quantile
from prediction.queries.coverage import NEWEST, settled_forecasts

_VIEW = "prediction.view_forecastmodel"
tables.register("forecast-versions", versions_table, permission=_VIEW)
tables.register("forecast-groups", groups_table, permission=_VIEW)
tables.register("forecast-work", work_table, permission=_VIEW)
tables.register("forecast-tasks", forecast_tasks_table, permission="orchestration.view_task")
tables.register("anomalies", anomalies_table, permission="prediction.view_anomaly")
tables.register("expected-anomalies", expected_table, permission="prediction.view_anomaly")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required(_VIEW, raise_exception=True)
@exported(
    "forecast-versions",
    "forecast-groups",
    "forecast-work",
    "forecast-tasks",
    "anomalies",
    "expected-anomalies",
)
def forecasts(request: HttpRequest) -> HttpResponse:
    """GET /reports/forecasts: what is in use, how it did, versions, anomalies; `act` opens a
    dialog. POST: do what it asks."""
    seen = SeenAnomalies(
        visible_to(request.user, Anomaly.objects.all()),
        visible_to(request.user, ExpectedAnomaly.objects.all()),
    )
    acts = [act for act in (*FORECAST_ACTS, *ANOMALY_ACTS) if act.is_for(request.user, seen)]
    dialog = opened_dialog(request, acts, seen)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, seen):
            return redirect(links.url("forecasts"))
    now = timezone.now()
    newest = forecasted(visible_to(request.user, settled_forecasts())[:NEWEST])
    found = outcome(newest)
    context = {
        "acts": acts,
        "dialog": dialog,
        "in_use": ForecastModel.objects.filter(in_use=True).first(),
        "outcome": found,
        "drift": drift_chart(newest),
        "reliability": reliability_chart(newest),
        "calibration": [
            ("P50", 50, _percent(found.within_p50)),
            ("P90", 90, _percent(found.within_p90)),
            ("P99", 99, _percent(within_quantile(newest, 0.99))),
        ],
        "error": _percent(found.error),
        "censored": _percent(found.censored),
        "anomalies": anomalies_table(request.user, request.GET, now),
        "expected": expected_table(request.user, request.GET, now),
        "freezing": AnomalyFreeze.objects.order_by("pk"),
        "groups": groups_table(request.user, request.GET, now),
        "tasks": forecast_tasks_table(request.user, request.GET, now),
        "versions": versions_table(request.user, request.GET, now),
        "work": work_table(request.user, request.GET, now),
    }
    return render(request, "dashboard/forecasts/page.html", context)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)
