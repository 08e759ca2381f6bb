"""Concurrency limits: how many attempts of a scope run at once."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from common import links
from common.admin import widgets
from common.admin.dialogs import ReasonForm, reason_field, redirect_to
from common.admin.service_forms import ServiceAdmin
from common.refusal import Refusal
from orchestration import services
from orchestration import widgets as task_widgets
from orchestration.models import Concurrency
from orchestration.queries.concurrency_limits import running_by_scope
from security.request_actor import person_of

_KINDS_WITH_PAGE = ("agent", "centre", "provider")
_RULE = (
    "A limit caps how many sub-agents run at the same time; the others wait. All limits that apply "
    "to a sub-agent must allow it: the limit of all, of its agent, of its cost centre and those "
    "above it, of its provider and of its runner. Without a limit here, each agent has that of the "
    "setting BUTLER_AGENT_ATTEMPTS_MAX. Lowering a limit stops no running sub-agent."
)


_REMOVE = {
    "title": "Remove this limit?",
    "description": "As many sub-agents of the scope then run at once as the other limits allow. "
    "Where all, or an agent, has no limit here, that of the settings applies.",
    "form_class": ReasonForm,
}


class ConcurrencyForm(forms.ModelForm):
    """An existing scope and its limit."""

    scope = forms.CharField(
        max_length=110,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Enter all, agent:<agent>, centre:<cost centre>, provider:<provider> or "
        "runner:<runner>, for example centre:research.",
    )
    attempts_max = forms.IntegerField(
        label="Concurrent sub-agents",
        min_value=0,
        max_value=services.CONCURRENCY_MAX,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="How many sub-agents of the scope may run at the same time. With 0, none starts.",
    )

    reason = reason_field()

    class Meta:
        model = Concurrency
        fields = ("scope", "attempts_max")

    def clean_scope(self) -> Any:
        """The service's check, so that its message appears beside the field."""
        try:
            services.check_scope(self.cleaned_data["scope"])
        except Refusal as refusal:
            raise forms.ValidationError(refusal.detail) from refusal
        return self.cleaned_data["scope"]


class ConcurrencyList(ChangeList):
    """Limits with the number of running attempts, which takes one more query."""

    def get_results(self, request: HttpRequest) -> None:
        """Django's results, then what runs under each limit."""
        super().get_results(request)
        running, self.result_list = running_by_scope(), list(self.result_list)
        for limit in self.result_list:
            vars(limit)["running"] = running.get(limit.scope, 0)


@admin.register(Concurrency)
class ConcurrencyAdmin(ServiceAdmin):
    """Limits by scope."""

    form = ConcurrencyForm
    list_display = ("scope", "applies_to", "running_now")
    search_fields = ("scope__startswith",)
    search_help_text = "The beginning of a scope, such as centre:"
    ordering = ("scope",)
    actions_detail = ("remove",)
    fieldsets = ((None, {"fields": ("scope", "attempts_max", "reason"), "description": _RULE}),)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list with the number of running attempts."""
        return ConcurrencyList

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody: Django's pages ask for no reason. `remove` does."""
        return False

    def has_remove_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Users who may remove limits."""
        return request.user.has_perm("orchestration.delete_concurrency")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """The scope of an existing limit cannot change."""
        return ("scope",) if obj else ()

    def audit_subject(self, obj: Concurrency) -> str:
        """By its scope: a limit that is removed and set again is the same."""
        return f"concurrency:{obj.scope}"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Hand the input to the service."""
        services.set_concurrency(
            obj.scope,
            attempts_max=form.cleaned_data["attempts_max"],
            actor=person_of(request),
            reason=form.cleaned_data["reason"],
            now=timezone.now(),
        )
        obj.pk = Concurrency.objects.only("pk").get(scope=obj.scope).pk

    @action(description="Remove", permissions=["remove"], dialog=_REMOVE)
    def remove(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Remove the limit with the service."""
        if limit := Concurrency.objects.filter(pk=object_id).first():
            services.remove_concurrency(
                limit.scope,
                actor=person_of(request),
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
            )
            messages.success(request, f"The limit of {limit.scope} was removed.")
        return redirect_to(request, links.url("concurrency_limits"))

    @display(description="Sub-agents running now")
    def running_now(self, limit: Concurrency) -> SafeString | str:
        """A bar and its figures."""
        return task_widgets.tokens_bar(
            used=getattr(limit, "running", 0), lent=0, of=limit.attempts_max
        )

    @display(description="Applies to")
    def applies_to(self, limit: Concurrency) -> SafeString | str:
        """A link to the cost centre or provider; the runner; or every attempt."""
        kind, _, name = limit.scope.partition(":")
        if kind in _KINDS_WITH_PAGE:
            return widgets.link(kind, name)
        return name or "every sub-agent"
