"""The forms of API keys: a secret is entered, but never shown."""

from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
)

from keys.admin.base_urls import BaseUrlForm
from keys.admin.limits import AddForm, ReasonedForm
from keys.admin.meant_costs import ask_about, meant_field
from keys.models import ApiKey
from keys.patterns import is_pattern
from keys.refusals import WrongValue
from keys.services import KeyTerms
from keys.supply import pricing
from keys.supply.key_secrets import check_secret
from keys.supply.pricing import Rates

CHANGEABLE = (
    "base_url",
    "sandbox",
    "priority",
    "requests_per_minute",
    "tokens_per_minute",
    "passed_fields",
)
_NO_PRICE = "The price book has no price for this model. Enter what its tokens cost."
_NO_PRICE_OF = (
    "The price book has no price for {model}. Add the key without it, then choose Set models, "
    "where you can enter its costs."
)


def _secret(help_text: str, *, required: bool) -> forms.CharField:
    return forms.CharField(
        label="Secret",
        strip=True,
        required=required,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=help_text,
    )


class ChangeKeyForm(BaseUrlForm, ReasonedForm):
    """The form to change the terms of an API key, with a reason."""

    new_secret = _secret(
        "Only if you change the base URL: the secret is sent there, so enter it again.",
        required=False,
    )

    class Meta:
        model = ApiKey
        fields = CHANGEABLE
        widgets: ClassVar[dict[str, Any]] = {"passed_fields": UnfoldAdminTextInputWidget()}

    def clean(self) -> dict[str, Any]:
        """Require the secret with another address."""
        super().clean()
        moves = not {"base_url", "sandbox"}.isdisjoint(self.changed_data)
        if self.secret and not moves:
            self.add_error("new_secret", "The base URL is the same. Choose Replace secret instead.")
        if moves and not self.errors:
            key: ApiKey = self.instance
            key.base_url = self.cleaned_data["base_url"]
            key.sandbox = self.cleaned_data["sandbox"]
            if key.secret is not None and key.needs_secret and not self.secret:
                self.add_error("new_secret", f"Enter the secret again: it is sent to {key.url}.")
        return self.cleaned_data

    @property
    def secret(self) -> str | None:
        """The entered secret; None if none was."""
        return self.cleaned_data.get("new_secret") or None

    @property
    def changes(self) -> dict[str, object]:
        """The changed values by the name of their field."""
        return {n: self.cleaned_data[n] for n in CHANGEABLE if n in self.changed_data}


def _rate(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=0,
        max_digits=20,
        decimal_places=9,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text="US dollars per 1,000 tokens. Leave both costs empty to use the price book.",
    )


class AddKeyForm(BaseUrlForm, AddForm):
    """The form to add an API key with its secret."""

    new_secret = _secret(
        "The secret that the provider issued. Butler stores it sealed and never shows it again.",
        required=True,
    )
    input_rate = _rate("Cost of input")
    output_rate = _rate("Cost of output")
    cost_is_meant = meant_field()

    class Meta:
        model = ApiKey
        fields = ("slug", "provider", "model", "serves", *CHANGEABLE)
        widgets: ClassVar[dict[str, Any]] = {
            "serves": UnfoldAdminTextInputWidget(),
            "passed_fields": UnfoldAdminTextInputWidget(),
        }

    @property
    def terms(self) -> KeyTerms:
        """The entered values as the service takes them."""
        values = self.cleaned_data
        return KeyTerms(
            provider=values["provider"].pk,
            model=values["model"],
            rates=self._rates(),
            serves=tuple(values["serves"]),
            **{name: values[name] for name in CHANGEABLE},
        )

    def clean(self) -> dict[str, Any]:
        """Require both costs, or a model that the price book knows."""
        super().clean()
        values = self.cleaned_data
        self._check_secret()
        rates = values.get("input_rate"), values.get("output_rate")
        if rates.count(None) == 1:
            self.add_error("input_rate", "Enter both costs, or leave both empty.")
        elif None in rates and {"provider", "model"} <= values.keys() and not self._is_priced():
            self.add_error("input_rate", _NO_PRICE)
        elif rates.count(None) == 0 and (entered := self._rates()):
            ask_about(self, "input_rate", [entered])
        for name in values.get("serves") or ():
            if "provider" in values and not is_pattern(name) and not self._is_priced(name):
                self.add_error("serves", _NO_PRICE_OF.format(model=name))
        return values

    def _check_secret(self) -> None:
        values = self.cleaned_data
        if values.get("sandbox") or not {"provider", "new_secret", "base_url"} <= values.keys():
            return
        provider = values["provider"]
        url = values["base_url"] or provider.base_url
        try:
            check_secret(values["new_secret"], provider=provider.pk, url=url)
        except WrongValue as refusal:
            self.add_error("new_secret", refusal.detail)

    def _is_priced(self, model: str | None = None) -> bool:
        provider, model = self.cleaned_data["provider"].pk, model or self.cleaned_data["model"]
        return pricing.default_rates(provider, model, at=timezone.now()) is not None

    def _rates(self) -> Rates | None:
        if self.cleaned_data["input_rate"] is None:
            return None
        return Rates(input=self.cleaned_data["input_rate"], output=self.cleaned_data["output_rate"])
