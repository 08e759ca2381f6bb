"""Windows, read-only."""

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
    """The list of windows, newest first, and the page of one."""

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
        "carried",
        "used",
        "committed",
        "free_amount",
        "closed_at",
        "others",
    )
    list_filter = (OpenFilter, SubjectFilter, "unit", "limit__period")
    list_select_related = ("limit",)
    search_fields = ("scope",)
    search_help_text = "A scope, such as key:nvidia-1, agent:ada or centre:research"
    ordering = ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by the limits of the scope, which are few."""
        if not search_term:
            return queryset, False
        limits = Limit.objects.filter(scope=search_term).values("pk")
        return queryset.filter(limit__in=limits), False

    def audit_subject(self, obj: Window) -> str:
        """The limited key, agent or cost centre, which audit entries about its windows name."""
        return obj.scope

    @display(description="Window")
    def window(self, window: Window) -> SafeString | str:
        """The unit and the period."""
        return f"{window.unit} per {window.limit.period}"

    @display(description="Limit of")
    def subject(self, window: Window) -> SafeString | str:
        """The limited key, agent or cost centre, as a link."""
        return widgets.subject_link(window.scope)

    @display(description="Begins (UTC)")
    def begins(self, window: Window) -> SafeString | str:
        """The first moment of the window."""
        return widgets.moment(window.starts_at)

    @display(description="Ends (UTC)")
    def ends(self, window: Window) -> SafeString | str:
        """The first moment after the window."""
        return "never" if window.limit.period == "total" else widgets.moment(window.ends_at)

    @display(description="Level")
    def bar(self, window: Window) -> SafeString | str:
        """A bar of what is used and committed of the amount."""
        return widgets.bar(
            used=window.used, committed=window.committed, amount=window.amount, unit=window.unit
        )

    @display(description="Used")
    def used_of(self, window: Window) -> SafeString | str:
        """What is used, in tokens or USD."""
        return _figure(window.used, window)

    @display(description="Committed")
    def committed_amount(self, window: Window) -> SafeString | str:
        """What is committed, in tokens or USD."""
        return _figure(window.committed, window)

    @display(description="Free")
    def free_of(self, window: Window) -> SafeString | str:
        """What is free, in tokens or USD; below zero when the limit was lowered."""
        return _figure(window.free, window)

    @display(description="Amount")
    def amount_of(self, window: Window) -> SafeString | str:
        """The amount of the limit with what was carried over, in tokens or USD."""
        return _figure(window.amount, window)

    @display(description="Free")
    def free_amount(self, window: Window) -> SafeString | str:
        """What is free, in tokens or USD; below zero when the limit was lowered."""
        return _figure(window.free, window)

    @display(description="Other periods")
    def others(self, window: Window) -> SafeString | str:
        """A link to all windows of the limit."""
        return widgets.list_link("windows", "all windows of this limit", limit=window.limit_id)


def _figure(number: Decimal, window: Window) -> str:
    return formatting.dollars(number) if window.unit == "usd" else formatting.group_digits(number)
