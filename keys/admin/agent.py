"""Agents: limits, tokens, switched on and off."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_variables
from unfold.admin import TabularInline
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from common import links
from common.admin import widgets
from common.admin.dialogs import ReasonForm, perform, redirect_to
from common.refusal import Refusal
from keys import services as keys
from keys.admin import widgets as book_widgets
from keys.admin.agent_token import status_badge, token_status
from keys.admin.dialogs import TokenForm, dialog_response
from keys.admin.limits import AddForm, LimitedAdmin, LimitsInline, ReasonedForm
from keys.books.queries import pages
from keys.models import Agent, AgentToken
from security.request_actor import person_of

_ENABLE = {"title": "Switch this agent on", "description": "It may spend again."}
_DISABLE = {
    "title": "Switch this agent off",
    "description": "No new allocations; its tokens stop working.",
    "form_class": ReasonForm,
}
_ISSUE = {
    "title": "Issue an agent token",
    "description": "It is shown once, right after this. Two may live at a time.",
    "form_class": TokenForm,
    "form_submit_text": "Issue",
}
_REASON = "Say why, whenever you change a limit below."


class AddAgentForm(AddForm):
    """A new agent."""

    class Meta:
        model = Agent
        fields = ("slug", "name", "cost_centre")


class TokensInline(TabularInline):
    """The agent's tokens, to read; revoked on their own page."""

    model = AgentToken
    fields = readonly_fields = ("token", "status", "scopes", "expires_at", "last_used_at")
    extra = 0
    can_delete = False
    verbose_name_plural = "tokens"

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """They are issued by the button above."""
        return False

    @display(description="Token")
    def token(self, token: AgentToken) -> SafeString | str:
        """What it begins with, and its page."""
        return widgets.link("agent_token", token.pk, f"{token.prefix}…")

    @display(description="Status")
    def status(self, token: AgentToken) -> SafeString | str:
        """Whether it works."""
        return status_badge(token_status(token, now=timezone.now()))


@admin.register(Agent)
class AgentAdmin(LimitedAdmin):
    """Programs that spend."""

    subject_kind = "agent"
    inlines = (LimitsInline, TokensInline)
    list_display = ("slug", "name", "centre", "status", "usage")
    list_filter = (("disabled_at", admin.EmptyFieldListFilter),)
    search_fields = ("slug__startswith", "cost_centre__exact")
    search_help_text = "The beginning of an agent's name, or a cost centre"
    ordering = ("slug",)
    autocomplete_fields = ("cost_centre",)
    actions_detail = ("issue_token", "enable", "disable")
    fieldsets = (
        (None, {"fields": ("slug", "name", "centre", "status", "created_at", "rows")}),
        ("Reason for your change", {"fields": ("reason",), "description": _REASON}),
    )
    add_fieldsets = (
        (None, {"fields": ("slug", "name", "cost_centre")}),
        ("Reason", {"fields": ("reason",), "description": _REASON}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With what a row shows."""
        return super().get_queryset(request).prefetch_related(pages.limits_with_windows())

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        """After it was made, only its limits change here."""
        kwargs["form"] = ReasonedForm if change else AddAgentForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """What it was made with stays."""
        return ("slug", "name", "centre", "status", "created_at", "rows") if obj else ()

    def has_issue_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Who may make tokens."""
        return request.user.has_perm("keys.add_agenttoken")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Hand a new one to the services."""
        if not change:
            keys.create_agent(
                obj.pk,
                cost_centre=form.cleaned_data["cost_centre"].pk,
                name=form.cleaned_data["name"],
                actor=person_of(request),
                now=timezone.now(),
            )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Tokens are only read here."""
        if formset.model is AgentToken:
            formset.new_objects = formset.changed_objects = formset.deleted_objects = []
        else:
            super().save_formset(request, form, formset, change)

    @display(description="Cost centre")
    def centre(self, agent: Agent) -> SafeString | str:
        """The page of who pays."""
        return widgets.link("centre", agent.cost_centre_id)

    @display(description="Status")
    def status(self, agent: Agent) -> SafeString | str:
        """Whether it may spend."""
        return status_badge("disabled" if agent.disabled_at else "enabled")

    @display(description="Used and committed")
    def usage(self, agent: Agent) -> SafeString | str:
        """A bar for each limit."""
        now = timezone.now()
        return book_widgets.meters(pages.meters_of(agent, now=now), now=now)

    @display(description="Rows behind it")
    def rows(self, agent: Agent) -> SafeString | str:
        """The list of what it was lent."""
        return widgets.separated(
            [
                widgets.list_link("allocations", "allocations", agent=agent.pk),
                widgets.list_link("charges", "charges", agent=agent.pk),
            ]
        )

    @sensitive_variables("token")
    @action(description="Issue token", permissions=["issue"], dialog=_ISSUE)
    def issue_token(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Show a fresh token in this answer and nowhere else."""
        try:
            row, token = keys.issue_token(
                Agent(pk=object_id),
                scopes=form.cleaned_data["scopes"],
                days=form.cleaned_data["days"],
                actor=person_of(request),
                now=timezone.now(),
            )
        except Refusal as refusal:
            return dialog_response(request, "keys/token_refused.html", detail=refusal.detail)
        return dialog_response(request, "keys/token_issued.html", row=row, token=token)

    @action(description="Switch on", permissions=["change"], dialog=_ENABLE)
    def enable(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Let it spend again."""
        verb = partial(keys.enable_agent, Agent(pk=object_id))
        return self._perform(request, verb, object_id, f"{object_id} is enabled.")

    @action(description="Switch off", permissions=["change"], dialog=_DISABLE)
    def disable(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Stop it."""
        reason = form.cleaned_data["reason"]
        verb = partial(keys.disable_agent, Agent(pk=object_id), reason=reason)
        return self._perform(request, verb, object_id, f"{object_id} is disabled.")

    def _perform(
        self, request: HttpRequest, service: Callable[..., object], slug: str, success: str
    ) -> HttpResponse:
        """Call a service in the name of the user, then return to the agent's page."""
        call = partial(service, actor=person_of(request), now=timezone.now())
        perform(request, call, success=success)
        return redirect_to(request, links.url("agent", slug))
