"""Filters of the lists of tasks."""

from datetime import timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from orchestration.models import SubTask, Task

_DAYS = {"day": 1, "week": 7, "month": 30}


class AttentionFilter(SimpleListFilter):
    """Tasks that may need attention."""

    title = "attention"
    parameter_name = "which"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices of the filter."""
        return [
            ("live", "not ended"),
            ("gated", "waiting for approval"),
            ("retry", "with failures"),
            ("overrun", "over budget"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Tasks in the chosen state."""
        if self.value() == "live":
            return queryset.exclude(status__in=Task.ENDED)
        if self.value() == "gated":
            gated = SubTask.objects.filter(status=SubTask.Status.GATED).values("task")
            return queryset.exclude(status__in=Task.ENDED).filter(pk__in=gated)
        if self.value() == "retry":
            return queryset.filter(status__in=(Task.Status.PARTIAL, Task.Status.FAILED))
        return queryset.filter(overrun=True) if self.value() == "overrun" else queryset


class SubmittedFilter(SimpleListFilter):
    """Rows by the time of their submission."""

    title = "submitted"
    parameter_name = "since"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices of the filter."""
        return [
            ("day", "in the last 24 hours"),
            ("week", "in the last 7 days"),
            ("month", "in the last 30 days"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Rows since the chosen time."""
        days = _DAYS.get(self.value() or "")
        if days is None:
            return queryset
        return queryset.filter(created_at__gte=timezone.now() - timedelta(days=days))
