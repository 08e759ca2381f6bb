"""Forms of API keys: the secret is written, never shown."""

from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminPasswordWidget

from keys.admin.limits import AddForm, ReasonedForm
from keys.models import ApiKey
from keys.services import KeyTerms
from keys.supply import pricing
from keys.supply.pricing import Rates

CHANGEABLE = ("base_url", "sandbox", "priority", "requests_per_minute", "tokens_per_minute")
_NO_PRICE = "The price book has no price for this model: say what its tokens cost."


class ChangeKeyForm(ReasonedForm):
    """What of a key may change, and why."""

    class Meta:
        model = ApiKey
        fields = CHANGEABLE

    @property
    def changes(self) -> dict[str, object]:
        """The new values by name."""
        return {n: self.cleaned_data[n] for n in CHANGEABLE if n in self.changed_data}


def _rate(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=0,
        max_digits=20,
        decimal_places=9,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text="USD per 1,000 tokens; both empty: what the price book says of the model.",
    )


class AddKeyForm(AddForm):
    """A new key with its secret."""

    new_secret = forms.CharField(
        label="Secret",
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="As the provider gave it. Stored sealed and never shown again.",
    )
    input_rate = _rate("Cost of input")
    output_rate = _rate("Cost of output")

    class Meta:
        model = ApiKey
        fields = ("slug", "provider", "model", *CHANGEABLE)

    @property
    def terms(self) -> KeyTerms:
        """What was asked for, as the service takes it."""
        said = self.cleaned_data
        return KeyTerms(
            provider=said["provider"].pk,
            model=said["model"],
            rates=self._rates(),
            **{name: said[name] for name in CHANGEABLE},
        )

    def clean(self) -> dict[str, Any]:
        """The cost must be known or said."""
        super().clean()
        said = self.cleaned_data
        rates = said.get("input_rate"), said.get("output_rate")
        if rates.count(None) == 1:
            self.add_error("input_rate", "Say both costs, or neither.")
        elif None in rates and {"provider", "model"} <= said.keys() and not self._is_priced():
            self.add_error("input_rate", _NO_PRICE)
        return said

    def _is_priced(self) -> bool:
        provider, model = self.cleaned_data["provider"].pk, self.cleaned_data["model"]
        return pricing.default_rates(provider, model, at=timezone.now()) is not None

    def _rates(self) -> Rates | None:
        if self.cleaned_data["input_rate"] is None:
            return None
        return Rates(input=self.cleaned_data["input_rate"], output=self.cleaned_data["output_rate"])
