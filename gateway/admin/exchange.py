"""Kept exchanges, to read: who opens one is recorded before it is unsealed."""

from django.contrib import admin
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from unfold.decorators import display

from common import formatting
from common.admin.read_only import ReadOnlyAdmin
from common.admin.widgets import link, moment
from common.refusal import Refusal
from gateway import queries, services
from gateway.admin import body_preview
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
    # Not "charge": that would be by the order of charges, the newest first, turned round.
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

    def get_queryset(self, request):
        """Without the contents, and without what is only not deleted yet."""
        found = queries.unexpired(now=timezone.now()).order_by("-charge_id")
        return found.defer("content_key", "request", "answer")

    @sensitive_variables()
    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        """With the contents. Django comes here only after it looked at the permission to view."""
        context |= self._contents(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    @sensitive_variables()
    def _contents(self, request, obj) -> dict[str, object]:
        actor, now = person_of(request), timezone.now()
        looks = queries.looks_at(obj.pk, most=_LOOKS_SHOWN)
        try:
            kept = services.look_at_exchange(obj.pk, actor=actor, now=now)
        except Refusal as refusal:
            return {"why_not": refusal.detail, "looks": looks}
        if kept is None:
            return {"why_not": "It has expired.", "looks": looks}
        bodies = {
            "Request": body_preview.body(kept.request),
            "Answer": body_preview.body(kept.answer),
        }
        return {"bodies": bodies, "looks": looks}

    @display(description="Charge")
    def charge_number(self, exchange):
        """By which it is called."""
        return exchange.pk

    @display(description="Charge")
    def charge_link(self, exchange):
        """What it cost."""
        return link("charge", exchange.pk)

    @display(description="Agent")
    def agent(self, exchange):
        """Who called."""
        return link("agent", exchange.charge.allocation.agent_id)

    @display(description="Cost centre")
    def centre(self, exchange):
        """Who paid."""
        return link("centre", exchange.cost_centre_id)

    @display(description="Kept (UTC)")
    def kept_at(self, exchange):
        """When it was kept."""
        return moment(exchange.created_at)

    @display(description="Until (UTC)")
    def kept_until(self, exchange):
        """When it is deleted."""
        return moment(exchange.expires_at)

    @display(description="Request bytes")
    def request_size(self, exchange):
        """Of the request, as it came."""
        return formatting.grouped(exchange.request_bytes)

    @display(description="Answer bytes")
    def answer_size(self, exchange):
        """Of the answer, as it came."""
        return formatting.grouped(exchange.answer_bytes)
