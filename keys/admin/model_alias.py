"""Aliases of models: names of the organisation, and what they mean."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.forms import BaseDialogForm

from common import links
from common.admin.dialogs import ReasonForm, perform, redirect_to
from common.admin.service_forms import ServiceAdmin
from keys import services as keys
from keys.admin.limits import ReasonedForm
from keys.models import ModelAlias
from keys.refusals import WrongValue
from keys.supply.services.model_aliases import check_alias
from security.request_actor import person_of

_REMOVE = {
    "title": "Remove this alias",
    "description": "Requests that use the name get the default model, or are refused.",
    "form_class": ReasonForm,
}


class ModelAliasForm(ReasonedForm):
    """The form of an alias. Its name identifies it and cannot be changed."""

    class Meta:
        model = ModelAlias
        fields = ("name", "model", "position")

    def clean_name(self) -> str:
        """The name in lower case, as requests are compared with it."""
        name: str = self.cleaned_data["name"]
        return name.lower()

    def clean(self) -> dict[str, Any]:
        """Check as the service does, to show its message beside the field."""
        super().clean()
        if not self.errors:
            name = self.cleaned_data.get("name", self.instance.name)
            try:
                check_alias(name, model=self.cleaned_data["model"])
            except WrongValue as refusal:
                self.add_error(refusal.field, refusal.detail)
        return self.cleaned_data


@admin.register(ModelAlias)
class ModelAliasAdmin(ServiceAdmin):
    """The list and the page of aliases."""

    form = ModelAliasForm
    list_display = ("name", "model", "position")
    search_fields = ("name__startswith", "model__exact")
    search_help_text = "The beginning of an alias, or a model"
    ordering = ("position", "name")
    fields = ("name", "model", "position", "reason")
    actions_detail = ("remove",)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """The name of an existing alias."""
        return ("name",) if obj else ()

    def save_model(
        self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool
    ) -> None:
        """Set the alias by its service."""
        alias = keys.set_model_alias(
            obj.name,
            model=form.cleaned_data["model"],
            position=form.cleaned_data["position"],
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        obj.pk = alias.pk

    @action(description="Remove", permissions=["change"], dialog=_REMOVE)
    def remove(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Remove the alias."""
        remove = partial(
            keys.remove_model_alias,
            ModelAlias.objects.get(pk=object_id),
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, remove, success="The alias was removed.")
        return redirect_to(request, links.url("model_aliases"))
