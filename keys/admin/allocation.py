"""Allocations, read-only, with their decision, rotations and history."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from common import formatting
from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from keys.admin import widgets as book_widgets
from keys.admin.filters import LiveFilter
from keys.books import selection
from keys.models import Allocation, Decision

STATUS_COLOURS = {
    "active": "success",
    "completed": "info",
    "failed": "warning",
    "expired": "default",
    "exhausted": "danger",
}
_CANDIDATES_SHOWN = 50


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyAdmin):
    """The list of allocations, newest first, and the page of one."""

    list_display = (
        "session",
        "agent_name",
        "key_name",
        "status_label",
        "used_of_lent",
        "cost_text",
        "charges",
        "ends",
    )
    list_filter = (LiveFilter, "status")
    search_fields = ("session_id__startswith", "agent__exact", "api_key__exact")
    search_help_text = "The beginning of a session, an agent, or an API key"
    ordering = ("-id",)
    change_form_after_template = "keys/history_below.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "session_id",
                    "status_label",
                    "status_reason",
                    "agent_name",
                    "centre",
                    "label",
                    "key_name",
                    "named_models",
                    "model_mismatch",
                    "created_at",
                    "expires_at",
                    "closed_at",
                )
            },
        ),
        (
            "Tokens",
            {
                "fields": (
                    "bar",
                    "lent_tokens",
                    "used_of",
                    "held_tokens",
                    "left_tokens",
                    "rotation_threshold",
                    "warned_at",
                    "rotated_at",
                    "overrun",
                    "auto_rotate",
                    "charges",
                    "commits",
                )
            },
        ),
        ("US dollars", {"fields": ("allocated_cost", "used_cost", "held_cost", "rates")}),
        ("Why this API key was chosen", {"fields": ("provider_expanded", "decision_table")}),
        ("Rotations", {"fields": ("moves",)}),
    )

    def audit_subject(self, obj: Allocation) -> str:
        """The session, which audit entries about the allocation name."""
        return f"session:{obj.session_id}"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page, with the last entries of the session's history."""
        allocation = self.get_object(request, object_id) if object_id else None
        extra = dict(extra_context or {})
        if allocation:
            extra["butler_history"] = book_widgets.history(self.audit_subject(allocation))
        return super().changeform_view(request, object_id, form_url, extra)

    @display(description="Session")
    def session(self, allocation: Allocation) -> SafeString | str:
        """The id of the session, on one line."""
        return widgets.one_line(allocation.session_id)

    @display(description="Used of allocated tokens")
    def used_of_lent(self, allocation: Allocation) -> SafeString | str:
        """A bar of used and held tokens, with the figures below."""
        used, allocated = map(formatting.group_digits, (allocation.used, allocation.allocated))
        words = f"{used} of {allocated}"
        return format_html('{}<span class="butler-line">{}</span>', self.bar(allocation), words)

    @display(description="Expires or ended (UTC)")
    def ends(self, allocation: Allocation) -> SafeString | str:
        """When the allocation expires or was closed."""
        return widgets.moment(allocation.closed_at or allocation.expires_at)

    @display(description="Agent")
    def agent_name(self, allocation: Allocation) -> SafeString | str:
        """The agent that spends the allocation, as a link."""
        return widgets.link("agent", allocation.agent_id)

    @display(description="Cost centre")
    def centre(self, allocation: Allocation) -> SafeString | str:
        """The cost centre that pays, as a link."""
        return widgets.link("centre", allocation.cost_centre_id)

    @display(description="API key")
    def key_name(self, allocation: Allocation) -> SafeString | str:
        """The API key that the allocation is on now, as a link."""
        return widgets.link("key", allocation.api_key_id)

    @display(description="Status")
    def status_label(self, allocation: Allocation) -> SafeString | str:
        """The status as a coloured label, and whether a rotation is needed."""
        label = widgets.badge(allocation.status, STATUS_COLOURS[allocation.status])
        if allocation.rotation_needed:
            return format_html("{} {}", label, widgets.badge("rotation needed", "warning"))
        return label

    @display(description="Used and held")
    def bar(self, allocation: Allocation) -> SafeString | str:
        """A bar of the used and held tokens of the allocated ones."""
        return widgets.bar(
            used=allocation.used,
            committed=allocation.held,
            amount=allocation.allocated,
            unit="tokens",
        )

    @display(description="Used tokens")
    def used_of(self, allocation: Allocation) -> SafeString | str:
        """The tokens of settled charges."""
        return formatting.group_digits(allocation.used)

    @display(description="Held tokens")
    def held_tokens(self, allocation: Allocation) -> SafeString | str:
        """The tokens held for calls in flight."""
        return formatting.group_digits(allocation.held)

    @display(description="Tokens left")
    def left_tokens(self, allocation: Allocation) -> SafeString | str:
        """The tokens that calls can still hold."""
        return formatting.group_digits(allocation.left)

    @display(description="Allocated tokens")
    def lent_tokens(self, allocation: Allocation) -> SafeString | str:
        """The tokens of the budget."""
        return formatting.group_digits(allocation.allocated)

    @display(description="Cost")
    def cost_text(self, allocation: Allocation) -> SafeString | str:
        """The cost of settled charges in USD."""
        return formatting.dollars(allocation.used_cost)

    @display(description="Charges")
    def charges(self, allocation: Allocation) -> SafeString | str:
        """A link to the charges of the allocation."""
        return widgets.list_link("charges", "charges", allocation=allocation.pk)

    @display(description="Counts against the limits of")
    def commits(self, allocation: Allocation) -> SafeString | str:
        """Links to the key, agent and cost centres whose limits include the allocation."""
        return widgets.separated(widgets.subject_link(scope) for scope in allocation.scopes)

    @display(description="Price")
    def rates(self, allocation: Allocation) -> SafeString | str:
        """A link to the line of the price book that applies now."""
        return widgets.link("price", allocation.price_id, "current rates")

    @display(description="Candidates")
    def decision_table(self, allocation: Allocation) -> SafeString | str:
        """Every candidate, with the reason why it was chosen or not."""
        decision = Decision.objects.filter(pk=allocation.pk).first()
        candidates = selection.from_json(decision.verdicts)["candidates"] if decision else []
        return render_to_string(
            "keys/decision.html",
            {
                "candidates": candidates[:_CANDIDATES_SHOWN],
                "more": max(len(candidates) - _CANDIDATES_SHOWN, 0),
            },
        )

    @display(description="Rotations")
    def moves(self, allocation: Allocation) -> SafeString | str:
        """Each rotation: both keys, when, how many tokens, who and why."""
        rotations = [
            {"rotation": each, "moved": formatting.group_digits(each.moved_tokens)}
            for each in allocation.rotations.all()
        ]
        return render_to_string("keys/rotations.html", {"rotations": rotations})
