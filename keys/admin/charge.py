"""Charges, read-only: the usage records."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from common import formatting, links
from common.admin import widgets
from common.admin.dialogs import redirect_to
from common.admin.read_only import ReadOnlyAdmin
from common.refusal import Refusal
from keys import services as keys
from keys.admin.adjustment import AdjustmentForm, difference
from keys.admin.filters import AdjustedFilter, SettledFilter
from keys.books.queries.charges import figures
from keys.models import Allocation, Charge
from security.request_actor import person_of

_OF_AGENT = "allocation__agent__exact"
_ADJUST = {
    "title": "Adjust the charge",
    "description": "The charge keeps its figures. The difference between what it counts for now "
    "and what you enter becomes an adjustment, which counts in the same periods of the limits.",
    "form_class": AdjustmentForm,
    "form_submit_text": "Adjust",
}
STATUS_COLOURS = {
    "held": "info",
    "settled": "success",
    "released": "default",
    "expired": "warning",
}


@admin.register(Charge)
class ChargeAdmin(ReadOnlyAdmin):
    """The list of charges, newest first, and the page of one."""

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
    list_filter = (SettledFilter, AdjustedFilter, "status", "basis", "overrun")
    actions_detail = ("adjust",)
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
                    "asked_model",
                    "route",
                    "status_label",
                    "basis",
                    "adjusted",
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
                    "image_input_tokens",
                    "output_tokens",
                    "reasoning_tokens",
                    "audio_output_tokens",
                    "image_output_tokens",
                    "web_searches",
                    "held_tokens",
                    "overrun",
                )
            },
        ),
        (
            "US dollars",
            {
                "fields": (
                    "cost",
                    "service_tier",
                    "search_kind",
                    "provider_cost_text",
                    "held_cost",
                    "rates",
                )
            },
        ),
        (
            "When",
            {
                "fields": (
                    "created_at",
                    "expires_at",
                    "settled_at",
                    "hold_expired_at",
                    "idempotency_key",
                )
            },
        ),
    )

    def audit_subject(self, obj: Charge) -> str:
        """The session: a charge is its own record, so no audit entries name it."""
        return f"session:{obj.allocation.session_id}"

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow the filter by agent, which the page of an agent links to."""
        return lookup == _OF_AGENT or super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by the allocation's id: a join makes PostgreSQL misjudge how many rows match."""
        if not search_term:
            return queryset, False
        matches = Allocation.objects.filter(session_id=search_term).values_list("pk", flat=True)
        return queryset.filter(allocation=matches.first()), False

    def has_adjust_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the user may adjust charges: the permission to add adjustments."""
        return request.user.has_perm("keys.add_adjustment")

    @action(description="Adjust", permissions=["adjust"], dialog=_ADJUST)
    def adjust(self, request: HttpRequest, form: AdjustmentForm, object_id: str) -> HttpResponse:
        """Correct what the charge counts for, with a reason."""
        try:
            adjustment, _ = keys.adjust_charge(
                charge_id=form.charge_id,
                usage=form.usage,
                cost=form.cost,
                reason=form.cleaned_data["reason"],
                actor=person_of(request),
                now=timezone.now(),
            )
        except Refusal as refusal:
            messages.error(request, refusal.detail)
        else:
            messages.success(
                request, f"Charge {object_id} was adjusted by {difference(adjustment)}."
            )
        return redirect_to(request, links.url("recorded_charge", object_id))

    @display(description="Adjustments")
    def adjusted(self, charge: Charge) -> SafeString | str:
        """What the charge counts for with its adjustments, and a link to them."""
        if not charge.adjustments.exists():
            return widgets.NOTHING
        counted = figures(charge)
        words = f"counts for {counted['tokens']:,} tokens, {counted['cost']:f} USD"
        listed = widgets.list_link("adjustments", "adjustments", charge=charge.pk)
        return widgets.separated([words, listed])

    @display(description="Allocation")
    def allocation_link(self, charge: Charge) -> SafeString | str:
        """The allocation that paid, as a link."""
        return widgets.link("allocation", charge.allocation_id, charge.allocation.session_id)

    @display(description="Agent")
    def agent(self, charge: Charge) -> SafeString | str:
        """The agent that made the call, as a link."""
        return widgets.link("agent", charge.allocation.agent_id)

    @display(description="API key")
    def key_name(self, charge: Charge) -> SafeString | str:
        """The API key that the call used, as a link."""
        return widgets.link("key", charge.api_key_id)

    @display(description="Status")
    def status_label(self, charge: Charge) -> SafeString | str:
        """The status as a coloured label."""
        return widgets.badge(charge.status, STATUS_COLOURS[charge.status])

    @display(description="Tokens")
    def tokens_text(self, charge: Charge) -> SafeString | str:
        """The settled tokens."""
        return formatting.group_digits(charge.tokens)

    @display(description="Cost")
    def cost_text(self, charge: Charge) -> SafeString | str:
        """The settled cost in USD."""
        return formatting.dollars(charge.cost)

    @display(description="Provider cost")
    def provider_cost_text(self, charge: Charge) -> SafeString | str:
        """The cost in USD that the provider reported, with its difference from Butler's cost."""
        if charge.provider_cost is None:
            return "—"
        more = charge.provider_cost - charge.cost
        return f"{charge.provider_cost:f} ({more:+f})" if more else f"{charge.provider_cost:f}"

    @display(description="Basis")
    def basis_word(self, charge: Charge) -> SafeString | str:
        """Where the usage comes from, in one word."""
        return charge.basis

    @display(description="Settled or held (UTC)")
    def moment(self, charge: Charge) -> SafeString | str:
        """When the charge was settled or, before that, when it was held."""
        return widgets.moment(charge.settled_at or charge.created_at)

    @display(description="Price")
    def rates(self, charge: Charge) -> SafeString | str:
        """A link to the rates that apply to the charge."""
        return widgets.link("price", charge.price_id, "rates of this charge")
