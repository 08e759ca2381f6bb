"""Agent tokens, read-only and without their secret; they are revoked here."""

from datetime import datetime
from functools import partial

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from common import links
from common.admin import widgets
from common.admin.dialogs import perform, redirect_to
from common.admin.read_only import ReadOnlyAdmin
from keys import services as keys
from keys.models import AgentToken
from security.request_actor import person_of

_STATUS_COLOURS = {
    "enabled": "success",
    "live": "success",
    "disabled": "danger",
    "revoked": "danger",
    "expired": "warning",
}
_REVOKE = {"title": "Revoke this token", "description": "The token stops working at once."}


def token_status(token: AgentToken, *, now: datetime) -> str:
    """`live`, `revoked` or `expired`."""
    if token.revoked_at:
        return "revoked"
    return "live" if token.expires_at > now else "expired"


def status_badge(status: str) -> SafeString:
    """The status of an agent or token as a coloured label."""
    return widgets.badge(status, _STATUS_COLOURS[status])


@admin.register(AgentToken)
class AgentTokenAdmin(ReadOnlyAdmin):
    """The list and the page of agent tokens."""

    list_display = ("prefix", "agent_link", "status", "scopes", "expires_at", "last_used_at")
    fields = (
        "prefix",
        "agent_link",
        "status",
        "scopes",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    search_fields = ("prefix__startswith", "agent__exact")
    search_help_text = "The beginning of a token, or an agent"
    ordering = ("-id",)
    actions_detail = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the user may revoke tokens."""
        return request.user.has_perm("keys.change_agenttoken")

    @display(description="Agent")
    def agent_link(self, token: AgentToken) -> SafeString | str:
        """The agent that the token belongs to, as a link."""
        return widgets.link("agent", token.agent_id)

    @display(description="Status")
    def status(self, token: AgentToken) -> SafeString | str:
        """Whether the token works."""
        return status_badge(token_status(token, now=timezone.now()))

    @action(description="Revoke", permissions=["revoke"], dialog=_REVOKE)
    def revoke(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Revoke the token."""
        token = AgentToken.objects.get(pk=object_id)
        verb = partial(keys.revoke_token, token, actor=person_of(request), now=timezone.now())
        perform(request, verb, success="The token was revoked.")
        return redirect_to(request, links.url("managed_agent", token.agent_id))
