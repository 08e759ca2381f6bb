"""Kept exchanges, read-only. Who opens one is recorded before its contents are unsealed."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from unfold.decorators import display

from common import formatting
from common.admin.read_only import ReadOnlyAdmin
from common.admin.visible_rows import visible_to
from common.admin.widgets import link, moment
from common.refusal import Refusal
from gateway import queries, services
from gateway.admin.body_preview import preview
from gateway.models import Exchange
from security.request_actor import person_of

_LOOKS_SHOWN = 20


@admin.register(Exchange)
class ExchangeAdmin(ReadOnlyAdmin):
    """Calls whose request and answer are kept, the newest first; contents on their own page."""

    list_display = (
        "charge_number",
        "agent",
        "centre",
        "kept_at",
        "kept_until",
        "request_size",
        "answer_size",
        "status",
        "complete",
    )
    list_filter = ("complete",)
    list_select_related = ("charge__allocation",)
    search_fields = (
        "charge__allocation__session_id__exact",
        "charge__allocation__agent__slug__exact",
        "cost_centre__slug__exact",
    )
    search_help_text = "A session, an agent or a cost centre"
    # Not "-charge": that would reverse the ordering of charges, which is the newest first.
    ordering = ("-charge_id",)
    fields = (
        "charge_link",
        "agent",
        "centre",
        "kept_at",
        "kept_until",
        "status",
        "media_type",
        "complete",
    )
    change_form_outer_after_template = "gateway/exchange_contents.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Exchange]:
        """Exchanges that have not expired, without their contents."""
        exchanges = queries.unexpired_exchanges(now=timezone.now()).order_by("-charge_id")
        return visible_to(request.user, exchanges.defer("content_key", "request", "answer"))

    @sensitive_variables()
    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Exchange | None = None,
    ) -> HttpResponse:
        """The page with the contents. Django has checked the permission to view before."""
        if obj is not None:
            context |= self._contents(request, obj)
        page: HttpResponse = super().render_change_form(
            request, context, add, change, form_url, obj
        )
        return page

    @sensitive_variables()
    def _contents(self, request: HttpRequest, obj: Exchange) -> dict[str, object]:
        actor, now = person_of(request), timezone.now()
        looks = queries.looks_at(obj.pk, most=_LOOKS_SHOWN)
        try:
            kept = services.look_at_exchange(obj.pk, actor=actor, now=now)
        except Refusal as refusal:
            return {"why_not": refusal.detail, "looks": looks}
        if kept is None:
            return {"why_not": "The exchange has expired.", "looks": looks}
        bodies = {
            "Request": preview(kept.request),
            "Answer": preview(kept.answer),
        }
        return {"bodies": bodies, "looks": looks}

    @display(description="Charge")
    def charge_number(self, exchange: Exchange) -> int:
        """The number of the charge, which also identifies the exchange."""
        return exchange.charge_id

    @display(description="Charge")
    def charge_link(self, exchange: Exchange) -> str:
        """A link to the charge of the call."""
        return link("charge", exchange.pk)

    @display(description="Agent")
    def agent(self, exchange: Exchange) -> str:
        """A link to the agent that made the call."""
        return link("agent", exchange.charge.allocation.agent_id)

    @display(description="Cost centre")
    def centre(self, exchange: Exchange) -> str:
        """A link to the cost centre that paid."""
        return link("centre", exchange.cost_centre_id)

    @display(description="Kept (UTC)")
    def kept_at(self, exchange: Exchange) -> str:
        """When the exchange was stored."""
        return moment(exchange.created_at)

    @display(description="Until (UTC)")
    def kept_until(self, exchange: Exchange) -> str:
        """When the exchange is deleted."""
        return moment(exchange.expires_at)

    @display(description="Request bytes")
    def request_size(self, exchange: Exchange) -> str:
        """Bytes of the request as the client sent it."""
        return formatting.group_digits(exchange.request_bytes)

    @display(description="Answer bytes")
    def answer_size(self, exchange: Exchange) -> str:
        """Bytes of the answer as the client got it."""
        return formatting.group_digits(exchange.answer_bytes)
