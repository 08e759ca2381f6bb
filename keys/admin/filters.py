"""Filters of the lists of allocations, charges and windows."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from keys.books.queries import pages
from keys.models import ROTATION_NEEDED, Adjustment


class LiveFilter(SimpleListFilter):
    """Allocations that are live, need a rotation, or were overrun."""

    title = "condition"
    parameter_name = "which"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices of the filter."""
        return [
            ("live", "live"),
            ("rotation", "rotation needed"),
            ("overrun", "used more than allocated"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The chosen allocations; live ones are counted as on the overview."""
        if self.value() == "overrun":
            return queryset.filter(overrun=True)
        if self.value() not in ("live", "rotation"):
            return queryset
        live = queryset.filter(status="active", expires_at__gt=timezone.now())
        return live.filter(ROTATION_NEEDED) if self.value() == "rotation" else live


class SettledFilter(SimpleListFilter):
    """Charges by the time of their settlement."""

    title = "settled"
    parameter_name = "settled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices of the filter."""
        return [
            ("hour", "in the last hour"),
            ("today", "today (UTC)"),
            ("week", "in the last 7 days"),
            ("month", "in the last 30 days"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Charges settled since the chosen moment."""
        now = timezone.now()
        starts = {
            "hour": now - timedelta(hours=1),
            "today": pages.midnight(now),
            "week": now - timedelta(days=7),
            "month": now - timedelta(days=30),
        }
        start = starts.get(self.value() or "")
        if start is None:
            return queryset
        return queryset.filter(status="settled", settled_at__gte=start)


class AdjustedFilter(SimpleListFilter):
    """Charges that were adjusted."""

    title = "adjusted"
    parameter_name = "adjusted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The only choice."""
        return [("yes", "adjusted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Charges with adjustments, or all."""
        if self.value() != "yes":
            return queryset
        return queryset.filter(pk__in=Adjustment.objects.values("charge"))


class OpenFilter(SimpleListFilter):
    """Windows that are current, ended, or both; current ones by default."""

    title = "period"
    parameter_name = "period_is"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices besides the default."""
        return [("closed", "ended"), ("all", "all")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """The choices, with the default named by the windows that it shows."""
        default, *others = super().choices(changelist)
        yield {**default, "display": "current"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Open windows, closed ones, or both."""
        # A link from the page of a limit asks for all of its windows.
        if self.value() == "all" or "limit__id__exact" in request.GET:
            return queryset
        return queryset.filter(closed_at__isnull=self.value() != "closed")


class SubjectFilter(SimpleListFilter):
    """Windows of API keys, of agents or of cost centres."""

    title = "limits of"
    parameter_name = "of"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices of the filter."""
        return [("key", "API keys"), ("agent", "agents"), ("centre", "cost centres")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Windows whose scope begins with the chosen kind."""
        if self.value() not in ("key", "agent", "centre"):
            return queryset
        return queryset.filter(scope__startswith=f"{self.value()}:")
