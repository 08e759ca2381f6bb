"""Filters of the lists of tasks."""

from datetime import timedelta

from django.contrib.admin import SimpleListFilter
from django.utils import timezone

from orchestration.models import SubTask, Task

_DAYS = {"day": 1, "week": 7, "month": 30}


class EyeFilter(SimpleListFilter):
    """Tasks that somebody may have to look at."""

    title = "what needs an eye"
    parameter_name = "which"

    def lookups(self, request, model_admin):
        """The choices."""
        return [
            ("live", "not ended"),
            ("gated", "waits for approval"),
            ("retry", "something failed"),
            ("overrun", "used more than its budget"),
        ]

    def queryset(self, request, queryset):
        """By status."""
        if self.value() == "live":
            return queryset.exclude(status__in=Task.ENDED)
        if self.value() == "gated":
            gated = SubTask.objects.filter(status=SubTask.Status.GATED).values("task")
            return queryset.exclude(status__in=Task.ENDED).filter(pk__in=gated)
        if self.value() == "retry":
            return queryset.filter(status__in=(Task.Status.PARTIAL, Task.Status.FAILED))
        return queryset.filter(overrun=True) if self.value() == "overrun" else queryset


class SubmittedFilter(SimpleListFilter):
    """Rows by when they were made."""

    title = "submitted"
    parameter_name = "since"

    def lookups(self, request, model_admin):
        """The choices."""
        return [
            ("day", "in the last 24 hours"),
            ("week", "in the last 7 days"),
            ("month", "in the last 30 days"),
        ]

    def queryset(self, request, queryset):
        """From then on."""
        if self.value() not in _DAYS:
            return queryset
        return queryset.filter(created_at__gte=timezone.now() - timedelta(days=_DAYS[self.value()]))
