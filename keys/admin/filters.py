"""Filters of the lists of the books."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from keys.books.queries import pages
from keys.models import ROTATION_NEEDED


class LiveFilter(SimpleListFilter):
    """Allocations that can still spend."""

    title = "what needs an eye"
    parameter_name = "which"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices."""
        return [
            ("live", "live"),
            ("rotation", "rotation needed"),
            ("overrun", "used more than lent"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Live allocations as the overview counts them."""
        if self.value() == "overrun":
            return queryset.filter(overrun=True)
        if self.value() not in ("live", "rotation"):
            return queryset
        live = queryset.filter(status="active", expires_at__gt=timezone.now())
        return live.filter(ROTATION_NEEDED) if self.value() == "rotation" else live


class SettledFilter(SimpleListFilter):
    """Charges by when they were settled."""

    title = "settled"
    parameter_name = "settled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices."""
        return [
            ("hour", "in the last hour"),
            ("today", "today (UTC)"),
            ("week", "in the last 7 days"),
            ("month", "in the last 30 days"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Settled charges from then on."""
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


class OpenFilter(SimpleListFilter):
    """Windows of now, unless others are asked for."""

    title = "period"
    parameter_name = "period_is"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices besides the usual one."""
        return [("closed", "over"), ("all", "all")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """The usual one is called what it shows."""
        usual, *others = super().choices(changelist)
        yield {**usual, "display": "now"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Open windows, closed ones, or both."""
        # All windows of one limit are asked for by its pages.
        if self.value() == "all" or "limit__id__exact" in request.GET:
            return queryset
        return queryset.filter(closed_at__isnull=self.value() != "closed")


class SubjectFilter(SimpleListFilter):
    """Windows by the kind of what they limit."""

    title = "of"
    parameter_name = "of"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices."""
        return [("key", "API keys"), ("agent", "agents"), ("centre", "cost centres")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """By the prefix of their scope."""
        if self.value() not in ("key", "agent", "centre"):
            return queryset
        return queryset.filter(scope__startswith=f"{self.value()}:")
