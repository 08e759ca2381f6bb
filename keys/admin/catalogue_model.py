"""The model catalogue: what is known of each model of a provider."""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from common.admin import widgets
from common.admin.service_forms import ServiceAdmin
from keys import services as keys
from keys.admin.limits import ReasonedForm
from keys.models import CatalogueModel
from keys.refusals import WrongValue
from keys.supply.services.model_catalogue import CHANGEABLE, check_pattern
from security.request_actor import person_of


class ChangeModelForm(ReasonedForm):
    """The form to change what is known of a model."""

    class Meta:
        model = CatalogueModel
        fields = CHANGEABLE
        widgets: ClassVar[dict[str, Any]] = {
            "aliases": UnfoldAdminTextInputWidget(),
            "outputs": UnfoldAdminTextInputWidget(),
        }

    def clean_pattern(self) -> str:
        """Check the pattern as the service does."""
        pattern: str = self.cleaned_data["pattern"]
        try:
            check_pattern(pattern)
        except WrongValue as refusal:
            raise ValidationError(refusal.detail) from None
        return pattern


@admin.register(CatalogueModel)
class CatalogueModelAdmin(ServiceAdmin):
    """The list and the page of models."""

    form = ChangeModelForm
    list_display = ("name", "provider", "context_tokens", "output_tokens_max", "outputs", "source")
    list_filter = ("provider",)
    search_fields = ("name__startswith",)
    search_help_text = "The beginning of a model's name"
    ordering = ("provider", "name")
    readonly_fields = ("provider", "name", "keys_serving", "source")
    fields = ("provider", "name", *CHANGEABLE, "keys_serving", "source", "reason")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Lines are added with the keys that serve them."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Change the model by its service."""
        if changed := {n: form.cleaned_data[n] for n in CHANGEABLE if n in form.changed_data}:
            keys.change_model(
                obj.provider_id,
                obj.name,
                changes=changed,
                reason=form.cleaned_data["reason"],
                actor=person_of(request),
                now=timezone.now(),
            )

    @display(description="API keys that serve it")
    def keys_serving(self, model: CatalogueModel) -> SafeString | str:
        """Links to the keys."""
        served = model.served_by.order_by("api_key")
        return widgets.separated(widgets.link("key", row.api_key_id) for row in served)
