"""Attempts, read-only: they link a sub-task to the allocation and its charges."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from unfold.decorators import display

from common import formatting
from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from orchestration import widgets as task_widgets
from orchestration.admin.filters import SubmittedFilter
from orchestration.admin.sub_task_table import elapsed
from orchestration.models import Attempt
from orchestration.queries import pages

_NAME_SHOWN = 40
_PARENTS = ("task__id__exact", "sub_task__id__exact")


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    """Attempts of sub-agents at sub-tasks, the newest first."""

    list_display = (
        "session",
        "sub_task_and_number",
        "outcome",
        "runner",
        "key_link",
        "tokens_of_allocation",
        "cost_text",
        "duration",
        "start",
    )
    list_filter = ("status", "error_kind", SubmittedFilter)
    list_select_related = ("sub_task", "allocation")
    search_fields = ("session_id__startswith", "api_key__exact", "worker__startswith")
    search_help_text = "The beginning of a session, an API key, or a worker"
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("session_id", "task_link", "sub_task_link", "number", "status_label")}),
        (
            "Tokens",
            {
                "fields": (
                    "tokens_of_allocation",
                    "cost_text",
                    "allocation_link",
                    "key_link",
                    "charges",
                )
            },
        ),
        ("When", {"fields": ("start", "end", "duration", "deadline_moment", "final_since")}),
        ("Run by", {"fields": ("runner", "provider", "worker", "fence", "lease_end")}),
        (
            "Details for debugging",
            {"classes": ("collapse",), "fields": ("handle_text", "facts_text")},
        ),
    )

    def audit_subject(self, obj: Attempt) -> str:
        """Its session, which entries about its allocation name."""
        return f"session:{obj.session_id}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Attempts without the long texts of their sub-tasks."""
        rows = super().get_queryset(request)
        return rows.defer("sub_task__sealed_description", "sub_task__sealed_result")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The pages of tasks and sub-tasks link to this list."""
        return lookup in _PARENTS or super().lookup_allowed(lookup, value, request)

    @display(description="Session")
    def session(self, attempt: Attempt) -> SafeString | str:
        """The session id, on one line."""
        return widgets.one_line(attempt.session_id)

    @display(description="Sub-task")
    def sub_task_and_number(self, attempt: Attempt) -> SafeString | str:
        """The beginning of the sub-task's name, and the number of a repeated attempt."""
        name = Truncator(attempt.sub_task.name).chars(_NAME_SHOWN)
        also = f" (attempt {attempt.number})" if attempt.number > 1 else ""
        return widgets.link("recorded_sub_task", attempt.sub_task_id, name + also)

    @display(description="Status")
    def outcome(self, attempt: Attempt) -> SafeString | str:
        """The status as a coloured label, and the kind of failure."""
        label = task_widgets.status_badge(attempt.status)
        kind = "" if attempt.error_kind == attempt.status else attempt.error_kind
        return format_html("{} <small>{}</small>", label, kind)

    @display(description="Task")
    def task_link(self, attempt: Attempt) -> SafeString | str:
        """A link to the task."""
        return widgets.link("recorded_task", attempt.task_id, attempt.task.name)

    @display(description="Sub-task")
    def sub_task_link(self, attempt: Attempt) -> SafeString | str:
        """A link to the sub-task."""
        name = attempt.sub_task.name
        return widgets.link("recorded_sub_task", attempt.sub_task_id, name)

    @display(description="Status")
    def status_label(self, attempt: Attempt) -> SafeString | str:
        """The status as a coloured label, and why it failed."""
        return task_widgets.status_with_error(attempt, characters=300)

    @display(description="Tokens used of its allocation")
    def tokens_of_allocation(self, attempt: Attempt) -> SafeString | str:
        """A bar and its figures."""
        tokens, _ = pages.spent_by_attempt(attempt)
        return task_widgets.tokens_bar(used=tokens, lent=0, of=attempt.tokens)

    @display(description="Cost")
    def cost_text(self, attempt: Attempt) -> SafeString | str:
        """The cost in US dollars."""
        return formatting.dollars(pages.spent_by_attempt(attempt)[1])

    @display(description="Allocation")
    def allocation_link(self, attempt: Attempt) -> SafeString | str:
        """A link to the allocation, under the session id."""
        return widgets.link("allocation", attempt.allocation_id, attempt.session_id)

    @display(description="API key")
    def key_link(self, attempt: Attempt) -> SafeString | str:
        """A link to the API key."""
        return widgets.link("key", attempt.api_key_id)

    @display(description="Charges")
    def charges(self, attempt: Attempt) -> SafeString | str:
        """A link to the charges of the attempt."""
        if attempt.allocation_id is None:
            return widgets.NOTHING
        return widgets.list_link("charges", "charges", allocation=attempt.allocation_id)

    @display(description="Duration")
    def duration(self, attempt: Attempt) -> SafeString | str:
        """The time until its end, or until now."""
        return elapsed(attempt.created_at, attempt.ended_at, timezone.now())

    @display(description="Started (UTC)")
    def start(self, attempt: Attempt) -> SafeString | str:
        """When the attempt started."""
        return widgets.moment(attempt.created_at)

    @display(description="Ended (UTC)")
    def end(self, attempt: Attempt) -> SafeString | str:
        """When the attempt ended."""
        return widgets.moment(attempt.ended_at)

    @display(description="Deadline (UTC)")
    def deadline_moment(self, attempt: Attempt) -> SafeString | str:
        """When Butler stops the attempt."""
        return widgets.moment(attempt.deadline_at)

    @display(description="Figures final since (UTC)")
    def final_since(self, attempt: Attempt) -> SafeString | str:
        """When the figures became final."""
        return widgets.moment(attempt.finalized_at)

    @display(description="Lease expires (UTC)")
    def lease_end(self, attempt: Attempt) -> SafeString | str:
        """When another worker may take over, unless this one renews the lease."""
        return widgets.moment(attempt.leased_until)

    @display(description="Handle")
    def handle_text(self, attempt: Attempt) -> SafeString | str:
        """How the runner finds the running process or session."""
        return widgets.block(_json(attempt.handle))

    @display(description="Facts")
    def facts_text(self, attempt: Attempt) -> SafeString | str:
        """What the runner reported."""
        return widgets.block(_json(attempt.facts))


def _json(found: object) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False) if found else ""
