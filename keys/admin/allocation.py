"""Allocations, to read: with their charges, decision, rotations and history."""

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
    """Budgets lent to sessions, the newest first."""

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
                    "key_name",
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
        ("Why it got this key", {"fields": ("provider_expanded", "decision_table")}),
        ("Rotations", {"fields": ("moves",)}),
    )

    def audit_subject(self, obj: Allocation) -> str:
        """The session: it is what other entries name."""
        return f"session:{obj.session_id}"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With the last entries of its history."""
        session = Allocation.objects.filter(pk=object_id or 0).values_list("session_id", flat=True)
        extra = dict(extra_context or {})
        if found := session.first():
            extra["butler_history"] = book_widgets.history(f"session:{found}")
        return super().changeform_view(request, object_id, form_url, extra)

    @display(description="Session")
    def session(self, allocation: Allocation) -> SafeString | str:
        """Its id, on one line."""
        return widgets.one_line(allocation.session_id)

    @display(description="Used of lent tokens")
    def used_of_lent(self, allocation: Allocation) -> SafeString | str:
        """A bar and its figures."""
        used, allocated = map(formatting.group_digits, (allocation.used, allocation.allocated))
        words = f"{used} of {allocated}"
        return format_html('{}<span class="butler-line">{}</span>', self.bar(allocation), words)

    @display(description="Expires or ended (UTC)")
    def ends(self, allocation: Allocation) -> SafeString | str:
        """When it expires, or was closed."""
        return widgets.moment(allocation.closed_at or allocation.expires_at)

    @display(description="Agent")
    def agent_name(self, allocation: Allocation) -> SafeString | str:
        """Who was lent it."""
        return widgets.link("agent", allocation.agent_id)

    @display(description="Cost centre")
    def centre(self, allocation: Allocation) -> SafeString | str:
        """Who pays."""
        return widgets.link("centre", allocation.cost_centre_id)

    @display(description="API key")
    def key_name(self, allocation: Allocation) -> SafeString | str:
        """The key it is on now."""
        return widgets.link("key", allocation.api_key_id)

    @display(description="Status")
    def status_label(self, allocation: Allocation) -> SafeString | str:
        """The status as a coloured label."""
        label = widgets.badge(allocation.status, STATUS_COLOURS[allocation.status])
        if allocation.rotation_needed:
            return format_html("{} {}", label, widgets.badge("rotation needed", "warning"))
        return label

    @display(description="Used")
    def bar(self, allocation: Allocation) -> SafeString | str:
        """Used and held of what was lent."""
        return widgets.bar(
            used=allocation.used,
            committed=allocation.held,
            amount=allocation.allocated,
            unit="tokens",
        )

    @display(description="Used tokens")
    def used_of(self, allocation: Allocation) -> SafeString | str:
        """Tokens of settled charges."""
        return formatting.group_digits(allocation.used)

    @display(description="Held tokens")
    def held_tokens(self, allocation: Allocation) -> SafeString | str:
        """Tokens of calls under way."""
        return formatting.group_digits(allocation.held)

    @display(description="Left")
    def left_tokens(self, allocation: Allocation) -> SafeString | str:
        """Tokens that can still be held."""
        return formatting.group_digits(allocation.left)

    @display(description="Lent tokens")
    def lent_tokens(self, allocation: Allocation) -> SafeString | str:
        """Tokens."""
        return formatting.group_digits(allocation.allocated)

    @display(description="Cost")
    def cost_text(self, allocation: Allocation) -> SafeString | str:
        """USD of settled charges."""
        return formatting.dollars(allocation.used_cost)

    @display(description="Charges")
    def charges(self, allocation: Allocation) -> SafeString | str:
        """The rows behind what it used."""
        return widgets.list_link("charges", "charges", allocation=allocation.pk)

    @display(description="Committed in the windows of")
    def commits(self, allocation: Allocation) -> SafeString | str:
        """Key, agent and cost centres."""
        return widgets.separated(widgets.subject_link(scope) for scope in allocation.scopes)

    @display(description="Price")
    def rates(self, allocation: Allocation) -> SafeString | str:
        """The line of the price book."""
        return widgets.link("price", allocation.price_id, "rates of now")

    @display(description="Candidates")
    def decision_table(self, allocation: Allocation) -> SafeString | str:
        """Every candidate and why it won or lost."""
        found = Decision.objects.filter(pk=allocation.pk).first()
        candidates = selection.from_json(found.verdicts)["candidates"] if found else []
        return render_to_string(
            "keys/decision.html",
            {
                "candidates": candidates[:_CANDIDATES_SHOWN],
                "more": max(len(candidates) - _CANDIDATES_SHOWN, 0),
            },
        )

    @display(description="Moves")
    def moves(self, allocation: Allocation) -> SafeString | str:
        """From which key to which, when, how much, who and why."""
        rotations = [
            {"rotation": each, "moved": formatting.group_digits(each.moved_tokens)}
            for each in allocation.rotations.all()
        ]
        return render_to_string("keys/rotations.html", {"rotations": rotations})
