"""The allow-lists of agents and cost centres: which models and providers they may use."""

from functools import partial
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from common import links
from common.admin.dialogs import perform, reason_field, redirect_to
from keys import services as keys
from keys.admin.limits import LimitedAdmin
from keys.identity.services.allow_lists import check_allow_list
from keys.models import Agent, CostCentre
from keys.refusals import WrongValue
from security.request_actor import person_of

_ONE_PER_LINE = "One name or pattern per line, such as {}. Leave it empty to allow all."


def _lines(label: str, example: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        widget=UnfoldAdminTextareaWidget(),
        help_text=_ONE_PER_LINE.format(example),
    )


class AllowListForm(BaseDialogForm):
    """Asks which models and providers an agent or a cost centre may use."""

    subject: ClassVar[type[Agent] | type[CostCentre]]

    models = _lines("Models", "gpt-4o-mini or claude-*")
    providers = _lines("Providers", "anthropic")
    reason = reason_field()

    def __init__(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        row = self.subject.objects.filter(pk=object_id).first()
        for field in ("models", "providers") if row else ():
            self.fields[field].initial = "\n".join(getattr(row, f"allowed_{field}"))

    def clean(self) -> dict[str, Any]:
        """The entries of each list, checked as the service does."""
        for field in ("models", "providers"):
            entries = self.cleaned_data.get(field, "").split()
            try:
                self.cleaned_data[field] = check_allow_list(entries, field=field)
            except WrongValue as refusal:
                self.add_error(field, refusal.detail)
        return self.cleaned_data


class AgentAllowListForm(AllowListForm):
    """Asks what an agent may use."""

    subject = Agent


class CentreAllowListForm(AllowListForm):
    """Asks what a cost centre and those below it may use."""

    subject = CostCentre


def allow_list_dialog(form: type[AllowListForm], description: str) -> dict[str, Any]:
    """The dialog of the action `set_allow_list`."""
    return {
        "title": "Set the allow-list",
        "description": f"{description} The gateway follows within seconds, also for open sessions.",
        "form_class": form,
    }


class AllowListAdmin(LimitedAdmin):
    """The page of an agent or a cost centre, with its allow-list."""

    @display(description="Allowed models")
    def allowed_models_label(self, row: Agent | CostCentre) -> str:
        """The names and patterns, or that all are allowed."""
        return ", ".join(row.allowed_models) or "all"

    @display(description="Allowed providers")
    def allowed_providers_label(self, row: Agent | CostCentre) -> str:
        """The names and patterns, or that all are allowed."""
        return ", ".join(row.allowed_providers) or "all"

    def perform_set_allow_list(
        self, request: HttpRequest, form: BaseDialogForm, object_id: str
    ) -> HttpResponse:
        """Set the allow-list in the name of the user, then return to the page."""
        values = form.cleaned_data
        service = partial(
            keys.set_allow_list,
            self.model(pk=object_id),
            models=values["models"],
            providers=values["providers"],
            reason=values["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, service, success="The allow-list was set.")
        return redirect_to(request, links.url(self.subject_kind, object_id))
