"""Fallbacks of models: what serves calls instead of a model."""

from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from common import links
from common.admin.dialogs import ReasonForm, perform, redirect_to
from common.admin.service_forms import ServiceAdmin
from keys import services as keys
from keys.admin.limits import ReasonedForm
from keys.models import ModelFallback
from keys.refusals import WrongValue
from keys.supply.services.model_fallbacks import check_fallback
from security.request_actor import person_of

_REMOVE = {
    "title": "Remove this fallback",
    "description": "Calls for the model are answered by the model itself, or are refused.",
    "form_class": ReasonForm,
}
# They identify a fallback and cannot be changed.
_IDENTITY = ("model", "budget_percent")


class ModelFallbackForm(ReasonedForm):
    """The form of a fallback."""

    class Meta:
        model = ModelFallback
        fields = (*_IDENTITY, "fallbacks")
        widgets: ClassVar[dict[str, Any]] = {"fallbacks": UnfoldAdminTextInputWidget()}

    def clean_model(self) -> str:
        """The name in lower case, as requests are compared with it."""
        model: str = self.cleaned_data["model"]
        return model.lower()

    def clean(self) -> dict[str, Any]:
        """Check as the service does, to show its message beside the field."""
        super().clean()
        if not self.errors:
            try:
                check_fallback(
                    self.cleaned_data.get("model", self.instance.model),
                    budget_percent=self.cleaned_data.get("budget_percent"),
                    fallbacks=self.cleaned_data["fallbacks"],
                )
            except WrongValue as refusal:
                self.add_error(refusal.field, refusal.detail)
        return self.cleaned_data


@admin.register(ModelFallback)
class ModelFallbackAdmin(ServiceAdmin):
    """The list and the page of fallbacks."""

    form = ModelFallbackForm
    list_display = ("model", "budget_percent", "fallbacks")
    search_fields = ("model__startswith",)
    search_help_text = "The beginning of a model's name"
    ordering = ("model", "budget_percent")
    fields = ("model", "budget_percent", "fallbacks", "reason")
    actions_detail = ("remove",)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """What identifies an existing fallback."""
        return _IDENTITY if obj else ()

    def save_model(
        self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool
    ) -> None:
        """Set the fallback by its service."""
        row = keys.set_model_fallback(
            obj.model,
            budget_percent=obj.budget_percent,
            fallbacks=form.cleaned_data["fallbacks"],
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        obj.pk = row.pk

    @action(description="Remove", permissions=["change"], dialog=_REMOVE)
    def remove(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Remove the fallback."""
        remove = partial(
            keys.remove_model_fallback,
            ModelFallback.objects.get(pk=object_id),
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )
        perform(request, remove, success="The fallback was removed.")
        return redirect_to(request, links.url("model_fallbacks"))
