"""Attempts, to read: from a sub-task down to the allocation and its charges."""

import json

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator
from unfold.decorators import display

from common import formatting
from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from orchestration import widgets as task_widgets
from orchestration.admin.filters import SubmittedFilter
from orchestration.admin.sub_task_table import took
from orchestration.models import Attempt
from orchestration.queries import pages

_NAME_SHOWN = 40
_PARENTS = ("task__id__exact", "sub_task__id__exact")


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    """Tries of sub-tasks by sub-agents, the newest first."""

    list_display = (
        "session",
        "in_short",
        "ended_how",
        "runner",
        "key_name",
        "tokens_used",
        "cost_of",
        "length",
        "begun",
    )
    list_filter = ("status", "error_kind", SubmittedFilter)
    list_select_related = ("sub_task", "allocation")
    search_fields = ("session_id__startswith", "api_key__exact", "worker__exact")
    search_help_text = "The beginning of a session, an API key, or a worker"
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("session_id", "task_link", "sub_task_link", "number", "shown_status")}),
        ("Tokens", {"fields": ("tokens_used", "cost_of", "allocation_link", "key_name", "rows")}),
        ("When", {"fields": ("begun", "ended", "length", "deadline", "finalized")}),
        ("Carried out by", {"fields": ("runner", "provider", "worker", "fence", "leased")}),
        (
            "For whoever looks closer",
            {"classes": ("collapse",), "fields": ("shown_handle", "shown_facts")},
        ),
    )

    def get_queryset(self, request):
        """Without long texts."""
        rows = super().get_queryset(request)
        return rows.defer("sub_task__description", "sub_task__result")

    def lookup_allowed(self, lookup, value, request):
        """Tasks and sub-tasks lead here."""
        return lookup in _PARENTS or super().lookup_allowed(lookup, value, request)

    @display(description="Session")
    def session(self, attempt):
        """Its id, on one line."""
        return widgets.one_line(attempt.session_id)

    @display(description="Sub-task")
    def in_short(self, attempt):
        """The beginning of its name, and which try this is."""
        name = Truncator(attempt.sub_task.name).chars(_NAME_SHOWN)
        also = f" (try {attempt.number})" if attempt.number > 1 else ""
        return widgets.link("sub_task", attempt.sub_task_id, name + also)

    @display(description="Status")
    def ended_how(self, attempt):
        """The status as a coloured label, and the kind of failure."""
        label = task_widgets.status_badge(attempt.status)
        kind = "" if attempt.error_kind == attempt.status else attempt.error_kind
        return format_html("{} <small>{}</small>", label, kind)

    @display(description="Task")
    def task_link(self, attempt):
        """The whole."""
        return widgets.link("task", attempt.task_id, attempt.task.name)

    @display(description="Sub-task")
    def sub_task_link(self, attempt):
        """What it tries."""
        name = attempt.sub_task.name
        return widgets.link("sub_task", attempt.sub_task_id, name)

    @display(description="Status")
    def shown_status(self, attempt):
        """The status as a coloured label, and why it failed."""
        return task_widgets.status_with_error(attempt, characters=300)

    @display(description="Tokens used of lent")
    def tokens_used(self, attempt):
        """A bar and its figures."""
        tokens, _ = pages.spent_by(attempt)
        return task_widgets.tokens_bar(used=tokens, lent=0, of=attempt.tokens)

    @display(description="Cost")
    def cost_of(self, attempt):
        """USD."""
        return formatting.dollars(pages.spent_by(attempt)[1])

    @display(description="Allocation")
    def allocation_link(self, attempt):
        """The budget it spent."""
        return widgets.link("allocation", attempt.allocation_id, attempt.session_id)

    @display(description="API key")
    def key_name(self, attempt):
        """The key it was lent."""
        return widgets.link("key", attempt.api_key_id)

    @display(description="Charges")
    def rows(self, attempt):
        """The calls behind what it used."""
        if attempt.allocation_id is None:
            return widgets.NOTHING
        return widgets.list_link("charges", "charges", allocation=attempt.allocation_id)

    @display(description="Took")
    def length(self, attempt):
        """Until its end, or until now."""
        return took(attempt.created_at, attempt.ended_at, timezone.now())

    @display(description="Begun (UTC)")
    def begun(self, attempt):
        """When."""
        return widgets.moment(attempt.created_at)

    @display(description="Ended (UTC)")
    def ended(self, attempt):
        """When, or not yet."""
        return widgets.moment(attempt.ended_at)

    @display(description="Deadline (UTC)")
    def deadline(self, attempt):
        """When it is stopped."""
        return widgets.moment(attempt.deadline_at)

    @display(description="Accounted for (UTC)")
    def finalized(self, attempt):
        """Since when its figures are final."""
        return widgets.moment(attempt.finalized_at)

    @display(description="Lease until (UTC)")
    def leased(self, attempt):
        """When another worker takes it over, if its own falls silent."""
        return widgets.moment(attempt.leased_until)

    @display(description="Handle")
    def shown_handle(self, attempt):
        """What the runner finds the child by."""
        return widgets.block(_json(attempt.handle))

    @display(description="Facts")
    def shown_facts(self, attempt):
        """What the runner says of how it went."""
        return widgets.block(_json(attempt.facts))


def _json(found: object) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False) if found else ""
