"""Agents: their limits and tokens; agents are switched on and off here."""

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
from common.admin.dialogs import ReasonForm, dialog_response, perform, redirect_to
from common.refusal import Refusal
from keys import services as keys
from keys.admin import widgets as book_widgets
from keys.admin.agent_token import status_badge, token_status
from keys.admin.allow_lists import AgentAllowListForm, AllowListAdmin, allow_list_dialog
from keys.admin.dialogs import TokenForm
from keys.admin.limits import AddForm, LimitsInline, ReasonedForm
from keys.admin.places import AgentPlaces
from keys.books.queries import pages
from keys.models import Agent, AgentToken
from security.request_actor import person_of

_ENABLE = {"title": "Switch this agent on", "description": "The agent may spend again."}
_DISABLE = {
    "title": "Switch this agent off",
    "description": "The agent gets no new allocations, and its tokens stop working.",
    "form_class": ReasonForm,
}
_ISSUE = {
    "title": "Issue an agent token",
    "description": "Butler shows the token once, right after this. An agent can have two live "
    "tokens, so that it can change from one to the other.",
    "form_class": TokenForm,
    "form_submit_text": "Issue",
}
_ALLOW_LIST = allow_list_dialog(AgentAllowListForm, "What the agent may use.")
_FIXED = (
    "slug",
    "name",
    "centre",
    "status",
    "allowed_models_label",
    "allowed_providers_label",
    "created_at",
    "rows",
)
_REASON = "Enter a reason whenever you change a limit below."


class AddAgentForm(AddForm):
    """The form to add an agent."""

    class Meta:
        model = Agent
        fields = ("slug", "name", "cost_centre")


class TokensInline(TabularInline):
    """The agent's tokens, read-only; each is revoked on its own page."""

    model = AgentToken
    fields = readonly_fields = ("token", "status", "scopes", "expires_at", "last_used_at")
    extra = 0
    can_delete = False
    verbose_name_plural = "tokens"

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: the button `issue_token` issues tokens."""
        return False

    @display(description="Token")
    def token(self, token: AgentToken) -> SafeString | str:
        """The beginning of the token, as a link to its page."""
        return widgets.link("agent_token", token.pk, f"{token.prefix}…")

    @display(description="Status")
    def status(self, token: AgentToken) -> SafeString | str:
        """Whether the token works."""
        return status_badge(token_status(token, now=timezone.now()))


@admin.register(Agent)
class AgentAdmin(AgentPlaces, AllowListAdmin):
    """The list and the page of agents."""

    subject_kind = "agent"
    inlines = (LimitsInline, TokensInline)
    list_display = ("slug", "name", "centre", "status", "usage")
    list_filter = (("disabled_at", admin.EmptyFieldListFilter),)
    search_fields = ("slug__startswith", "cost_centre__exact")
    search_help_text = "The beginning of an agent's name, or a cost centre"
    ordering = ("slug",)
    autocomplete_fields = ("cost_centre",)
    actions_detail = (
        *("issue_token", "set_allow_list", *AgentPlaces.actions_of_place),
        *("enable", "disable", "freeze"),
    )
    fieldsets = (
        (None, {"fields": _FIXED}),
        ("Reason for your change", {"fields": ("reason",), "description": _REASON}),
    )
    add_fieldsets = (
        (None, {"fields": ("slug", "name", "cost_centre")}),
        ("Reason", {"fields": ("reason",), "description": _REASON}),
    )

    def audit_subject(self, obj: Agent) -> str:
        """The agent as the audit names it."""
        return f"agent:{obj.pk}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Agents with the limits and windows that their rows show."""
        return super().get_queryset(request).prefetch_related(pages.limits_with_windows())

    def offered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """None that is switched off."""
        return rows.filter(disabled_at=None)

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        """The form to add an agent, or to change the limits of an existing one."""
        kwargs["form"] = ReasonedForm if change else AddAgentForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """Everything but the limits of an existing agent."""
        return _FIXED if obj else ()

    def has_issue_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether the user may issue tokens."""
        return request.user.has_perm("keys.add_agenttoken")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Create a new agent by its service."""
        if not change:
            keys.create_agent(
                obj.pk,
                cost_centre=form.cleaned_data["cost_centre"].pk,
                name=form.cleaned_data["name"],
                actor=person_of(request),
                now=timezone.now(),
            )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save the limits; the tokens are read-only."""
        if formset.model is AgentToken:
            formset.new_objects = formset.changed_objects = formset.deleted_objects = []
        else:
            super().save_formset(request, form, formset, change)

    @display(description="Cost centre")
    def centre(self, agent: Agent) -> SafeString | str:
        """The cost centre that pays, as a link."""
        return widgets.link("centre", agent.cost_centre_id)

    @display(description="Status")
    def status(self, agent: Agent) -> SafeString | str:
        """Whether the agent may spend."""
        return status_badge("disabled" if agent.disabled_at else "enabled")

    @display(description="Used and committed")
    def usage(self, agent: Agent) -> SafeString | str:
        """A bar for each limit of the agent."""
        now = timezone.now()
        return book_widgets.meters(pages.meters_of(agent, now=now), now=now)

    @display(description="Records")
    def rows(self, agent: Agent) -> SafeString | str:
        """Links to the agent's allocations, charges and concurrency limit."""
        return widgets.separated(
            [
                widgets.list_link("allocations", "allocations", agent=agent.pk),
                widgets.list_link("charges", "charges", agent=agent.pk),
                widgets.list_link(
                    "concurrency_limits", "concurrency limit", scope=f"agent:{agent.pk}"
                ),
            ]
        )

    @sensitive_variables("token")
    @action(description="Issue token", permissions=["issue"], dialog=_ISSUE)
    def issue_token(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Issue a token and show it in this response only."""
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

    @action(description="Set allow-list", permissions=["change"], dialog=_ALLOW_LIST)
    def set_allow_list(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Set which models and providers are allowed."""
        return self.perform_set_allow_list(request, form, object_id)

    @action(description="Switch on", permissions=["change"], dialog=_ENABLE)
    def enable(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Switch the agent on."""
        verb = partial(keys.enable_agent, Agent(pk=object_id))
        return self._perform(request, verb, object_id, f"The agent {object_id} is switched on.")

    @action(description="Switch off", permissions=["change"], dialog=_DISABLE)
    def disable(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Switch the agent off."""
        reason = form.cleaned_data["reason"]
        verb = partial(keys.disable_agent, Agent(pk=object_id), reason=reason)
        return self._perform(request, verb, object_id, f"The agent {object_id} is switched off.")

    def _perform(
        self, request: HttpRequest, service: Callable[..., object], slug: str, success: str
    ) -> HttpResponse:
        """Call a service in the name of the user, then return to the agent's page."""
        call = partial(service, actor=person_of(request), now=timezone.now())
        perform(request, call, success=success)
        return redirect_to(request, links.url("managed_agent", slug))
