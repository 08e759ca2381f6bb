"""Windows, to read."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from common import formatting
from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from keys.admin.filters import OpenFilter, SubjectFilter
from keys.models import Limit, Window


@admin.register(Window)
class WindowAdmin(ReadOnlyAdmin):
    """Periods of limits: what was used in them and is committed on them."""

    list_display = (
        "window",
        "subject",
        "begins",
        "ends",
        "bar",
        "used_of",
        "committed_amount",
        "free_of",
        "amount_of",
    )
    fields = (
        "subject",
        "unit",
        "starts_at",
        "ends_at",
        "bar",
        "amount",
        "used",
        "committed",
        "free_amount",
        "closed_at",
        "others",
    )
    list_filter = (OpenFilter, SubjectFilter, "unit", "limit__period")
    list_select_related = ("limit",)
    search_fields = ("scope",)
    search_help_text = "A scope: key:nvidia-1, agent:ada, centre:research"
    ordering = ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By way of the limits, which are few."""
        if not search_term:
            return queryset, False
        limits = Limit.objects.filter(scope=search_term).values("pk")
        return queryset.filter(limit__in=limits), False

    def audit_subject(self, obj: Window) -> str:
        """The key, agent or cost centre that is limited: entries about its windows name it."""
        return obj.scope

    @display(description="Window")
    def window(self, window: Window) -> SafeString | str:
        """Unit and period."""
        return f"{window.unit} per {window.limit.period}"

    @display(description="Of")
    def subject(self, window: Window) -> SafeString | str:
        """The key, agent or cost centre."""
        return widgets.subject_link(window.scope)

    @display(description="Begins (UTC)")
    def begins(self, window: Window) -> SafeString | str:
        """The first moment of it."""
        return widgets.moment(window.starts_at)

    @display(description="Ends (UTC)")
    def ends(self, window: Window) -> SafeString | str:
        """The first moment after it."""
        return "never" if window.limit.period == "total" else widgets.moment(window.ends_at)

    @display(description="Level")
    def bar(self, window: Window) -> SafeString | str:
        """Used and committed of the amount."""
        return widgets.bar(
            used=window.used, committed=window.committed, amount=window.amount, unit=window.unit
        )

    @display(description="Used")
    def used_of(self, window: Window) -> SafeString | str:
        """In its unit."""
        return _figure(window.used, window)

    @display(description="Committed")
    def committed_amount(self, window: Window) -> SafeString | str:
        """In its unit."""
        return _figure(window.committed, window)

    @display(description="Free")
    def free_of(self, window: Window) -> SafeString | str:
        """In its unit; below zero when the limit was lowered."""
        return _figure(window.free, window)

    @display(description="Amount")
    def amount_of(self, window: Window) -> SafeString | str:
        """In its unit."""
        return _figure(window.amount, window)

    @display(description="Free")
    def free_amount(self, window: Window) -> SafeString | str:
        """In its unit; below zero when the limit was lowered."""
        return _figure(window.free, window)

    @display(description="Other periods")
    def others(self, window: Window) -> SafeString | str:
        """All windows of the limit."""
        return widgets.list_link("windows", "all of this limit", limit=window.limit_id)


def _figure(number: Decimal, window: Window) -> str:
    return formatting.dollars(number) if window.unit == "usd" else formatting.group_digits(number)
