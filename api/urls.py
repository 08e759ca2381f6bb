"""Every address of the API. What is below none of them is a 404 of the API, too."""

from django.urls import path, re_path

from api import allocations, sessions, unknown

_SESSION = "v1/allocations/<str:session_id>"

urlpatterns = [
    path("v1/allocations", allocations.Allocations.as_view()),
    path(_SESSION, allocations.AllocationDetail.as_view()),
    path(f"{_SESSION}/usage", sessions.UsageReport.as_view()),
    path(f"{_SESSION}/rotation", sessions.RotationMake.as_view()),
    path(f"{_SESSION}/completion", sessions.CompletionMake.as_view()),
    path(f"{_SESSION}/failure", sessions.FailureMake.as_view()),
    path(f"{_SESSION}/extension", sessions.ExtensionMake.as_view()),
    path(f"{_SESSION}/decision", allocations.DecisionDetail.as_view()),
    path(f"{_SESSION}/monitor", allocations.MonitorDetail.as_view()),
    re_path("", unknown.NotThere.as_view()),
]
