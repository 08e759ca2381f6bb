"""Every address of the API. What is below none of them is a 404 of the API, too."""

from django.urls import path, re_path

from api import (
    alerts,
    allocations,
    api_keys,
    charges,
    decisions,
    estimates,
    history,
    not_found,
    plans,
    schema_views,
    sessions,
    status,
    sub_tasks,
    task_actions,
    tasks,
    usage,
)

_SESSION = "v1/allocations/<str:session_id>"
_TASK = "v1/tasks/<int:task_id>"

urlpatterns = [
    path("v1/allocations", allocations.Allocations.as_view()),
    path(_SESSION, allocations.AllocationDetail.as_view()),
    path(f"{_SESSION}/usage", sessions.UsageReport.as_view()),
    path(f"{_SESSION}/rotation", sessions.RotationMake.as_view()),
    path(f"{_SESSION}/completion", sessions.CompletionMake.as_view()),
    path(f"{_SESSION}/failure", sessions.FailureMake.as_view()),
    path(f"{_SESSION}/extension", sessions.ExtensionMake.as_view()),
    path(f"{_SESSION}/decision", decisions.DecisionDetail.as_view()),
    path(f"{_SESSION}/monitor", decisions.MonitorDetail.as_view()),
    path("v1/tasks", tasks.Tasks.as_view()),
    path(_TASK, tasks.TaskDetail.as_view()),
    path(f"{_TASK}/sub_tasks", sub_tasks.SubTasks.as_view()),
    path(f"{_TASK}/results", tasks.Results.as_view()),
    path(f"{_TASK}/cancellation", task_actions.CancellationMake.as_view()),
    path(f"{_TASK}/pause", task_actions.PauseMake.as_view()),
    path(f"{_TASK}/resumption", task_actions.ResumptionMake.as_view()),
    path(f"{_TASK}/retry", task_actions.RetryMake.as_view()),
    path(f"{_TASK}/approvals", task_actions.Approvals.as_view()),
    path("v1/plans", plans.Plans.as_view()),
    path("v1/charges", charges.Charges.as_view()),
    path("v1/charges/<int:charge_id>", charges.ChargeDetail.as_view()),
    path("v1/estimates", estimates.Estimates.as_view()),
    path("v1/keys", api_keys.ApiKeys.as_view()),
    path("v1/keys/<str:key_id>/refusal", api_keys.KeyRefusal.as_view()),
    path("v1/status", status.Status.as_view()),
    path("v1/me", status.Me.as_view()),
    path("v1/alerts", alerts.Alerts.as_view()),
    path("v1/alerts/<int:alert_id>/acknowledgement", alerts.AcknowledgementMake.as_view()),
    path("v1/alerts/<int:alert_id>/resolution", alerts.ResolutionMake.as_view()),
    path("v1/history", history.HistoryView.as_view()),
    path("v1/usage", usage.UsageView.as_view()),
    path("v1/schema", schema_views.SchemaJson.as_view(), name="schema"),
    path("v1/docs", schema_views.Docs.as_view()),
    re_path("", not_found.NotThere.as_view()),
]
