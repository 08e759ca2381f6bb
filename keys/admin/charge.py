"""Charges, to read: the usage records."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from common import formatting
from common.admin import widgets
from common.admin.read_only import ReadOnlyAdmin
from keys.admin.filters import SettledFilter
from keys.models import Allocation, Charge

_OF_AGENT = "allocation__agent__exact"
STATUS_COLOURS = {
    "held": "info",
    "settled": "success",
    "released": "default",
    "expired": "warning",
}


@admin.register(Charge)
class ChargeAdmin(ReadOnlyAdmin):
    """What calls cost, the newest first."""

    list_display = (
        "id",
        "allocation_link",
        "agent",
        "key_name",
        "model",
        "status_label",
        "tokens_text",
        "cost_text",
        "basis_word",
        "moment",
    )
    list_filter = (SettledFilter, "status", "basis", "overrun")
    list_select_related = ("allocation",)
    search_fields = ("allocation__session_id",)
    search_help_text = "A session"
    ordering = ("-id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "allocation_link",
                    "key_name",
                    "model",
                    "route",
                    "status_label",
                    "basis",
                    "provider_request_id",
                )
            },
        ),
        (
            "Tokens",
            {
                "fields": (
                    "tokens_text",
                    "input_tokens",
                    "cached_tokens",
                    "cache_write_tokens",
                    "cache_write_long_tokens",
                    "audio_input_tokens",
                    "output_tokens",
                    "reasoning_tokens",
                    "audio_output_tokens",
                    "held_tokens",
                    "overrun",
                )
            },
        ),
        ("US dollars", {"fields": ("cost", "provider_said", "held_cost", "rates")}),
        ("When", {"fields": ("created_at", "expires_at", "settled_at", "idempotency_key")}),
    )

    def audit_subject(self, obj: Charge) -> str:
        """Its session: a charge is its own record, and has no entries."""
        return f"session:{obj.allocation.session_id}"

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The page of an agent leads here, too."""
        return lookup == _OF_AGENT or super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By way of the allocation: a join would let the database guess how many charges it has."""
        if not search_term:
            return queryset, False
        found = Allocation.objects.filter(session_id=search_term).values_list("pk", flat=True)
        return queryset.filter(allocation=found.first()), False

    @display(description="Allocation")
    def allocation_link(self, charge: Charge) -> SafeString | str:
        """What it was charged to."""
        return widgets.link("allocation", charge.allocation_id, charge.allocation.session_id)

    @display(description="Agent")
    def agent(self, charge: Charge) -> SafeString | str:
        """Who spent it."""
        return widgets.link("agent", charge.allocation.agent_id)

    @display(description="API key")
    def key_name(self, charge: Charge) -> SafeString | str:
        """The key it was spent on."""
        return widgets.link("key", charge.api_key_id)

    @display(description="Status")
    def status_label(self, charge: Charge) -> SafeString | str:
        """The status as a coloured label."""
        return widgets.badge(charge.status, STATUS_COLOURS[charge.status])

    @display(description="Tokens")
    def tokens_text(self, charge: Charge) -> SafeString | str:
        """Settled tokens."""
        return formatting.group_digits(charge.tokens)

    @display(description="Cost")
    def cost_text(self, charge: Charge) -> SafeString | str:
        """Settled USD."""
        return formatting.dollars(charge.cost)

    @display(description="Provider cost")
    def provider_said(self, charge: Charge) -> SafeString | str:
        """What the provider said it cost, and how much that is more or less than the cost."""
        if charge.provider_cost is None:
            return "—"
        more = charge.provider_cost - charge.cost
        return f"{charge.provider_cost:f} ({more:+f})" if more else f"{charge.provider_cost:f}"

    @display(description="Basis")
    def basis_word(self, charge: Charge) -> SafeString | str:
        """Who said what was used, in one word."""
        return charge.basis

    @display(description="Settled or held (UTC)")
    def moment(self, charge: Charge) -> SafeString | str:
        """When it was settled; when it was held, as long as it is not."""
        return widgets.moment(charge.settled_at or charge.created_at)

    @display(description="Price")
    def rates(self, charge: Charge) -> SafeString | str:
        """The rates that were frozen on it."""
        return widgets.link("price", charge.price_id, "the rates it was charged at")
