"""The model catalogue: what is known of each model of a provider."""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from common.admin import widgets
from common.admin.service_forms import ServiceAdmin
from keys import services as keys
from keys.admin.limits import ReasonedForm
from keys.models import CatalogueModel, ServedModel
from keys.refusals import WrongValue
from keys.supply.model_facts import ModelFacts, facts_from_columns
from keys.supply.services.model_catalogue import CHANGEABLE, check_pattern
from security.request_actor import person_of


class ChangeModelForm(ReasonedForm):
    """The form to change what is known of a model."""

    class Meta:
        model = CatalogueModel
        fields = CHANGEABLE
        widgets: ClassVar[dict[str, Any]] = {
            "aliases": UnfoldAdminTextInputWidget(),
            "inputs": UnfoldAdminTextInputWidget(),
            "outputs": UnfoldAdminTextInputWidget(),
            "refused_parameters": UnfoldAdminTextInputWidget(),
        }

    def clean_pattern(self) -> str:
        """Check the pattern as the service does."""
        pattern: str = self.cleaned_data["pattern"]
        try:
            check_pattern(pattern)
        except WrongValue as refusal:
            raise ValidationError(refusal.detail) from None
        return pattern

    def clean_image_rules(self) -> Any:
        """An empty field is no rule."""
        return self.cleaned_data["image_rules"] or {}

    def clean(self) -> dict[str, Any]:
        """Check the facts as the service does, to show its message beside the field."""
        super().clean()
        if not self.errors:
            try:
                facts_from_columns({name: self.cleaned_data[name] for name in ModelFacts._fields})
            except WrongValue as refusal:
                self.add_error(refusal.field, refusal.detail)
        return self.cleaned_data


@admin.register(CatalogueModel)
class CatalogueModelAdmin(ServiceAdmin):
    """The list and the page of models."""

    form = ChangeModelForm
    list_display = (
        "name",
        "provider",
        "context_tokens",
        "output_tokens_max",
        "outputs",
        "keys_serving",
        "prices",
        "source",
    )
    list_filter = ("provider",)
    search_fields = ("name__startswith",)
    search_help_text = "The beginning of a model's name"
    ordering = ("provider", "name")
    readonly_fields = ("provider", "name", "keys_serving", "prices", "source")
    fields = ("provider", "name", *CHANGEABLE, "keys_serving", "prices", "source", "reason")

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

    def get_queryset(self, request: HttpRequest) -> QuerySet[CatalogueModel]:
        """With the keys that serve each model."""
        served = ServedModel.objects.select_related("price").order_by("api_key")
        return super().get_queryset(request).prefetch_related(Prefetch("served_by", served))

    @display(description="API keys that serve it")
    def keys_serving(self, model: CatalogueModel) -> SafeString | str:
        """Links to the keys."""
        return widgets.separated(
            widgets.link("key", row.api_key_id) for row in model.served_by.all()
        )

    @display(description="USD per 1,000 tokens")
    def prices(self, model: CatalogueModel) -> str:
        """What input and output cost on the keys that serve it."""
        prices = {row.price_id: row.price for row in model.served_by.all()}.values()
        return ", ".join(
            f"{each.input.normalize():f} / {each.output.normalize():f}" for each in prices
        )
