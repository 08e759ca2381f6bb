"""The forms of dialogs that actions open, and the response that replaces a dialog."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
)

from common.admin import widgets
from common.admin.dialogs import reason_field
from keys.admin.meant_costs import ask_about, meant_field
from keys.models import AgentToken, ApiKey
from keys.supply.pricing import NO_FEES, RATE_NAMES, Rates
from security.models import Approval

_AS_INPUT = "US dollars per 1,000 tokens. Leave it empty to use the cost of input."
_AS_OUTPUT = "US dollars per 1,000 tokens. Leave it empty to use the cost of output."


def _rate(*, label: str, required: bool = True, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=required,
        min_value=0,
        max_digits=20,
        decimal_places=9,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text=help_text,
    )


class SecretForm(BaseDialogForm):
    """Asks for a new secret, which is never shown."""

    secret = forms.CharField(
        label="New secret",
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Butler stores the secret sealed and never shows it again.",
    )
    reason = reason_field()


class RatesForm(BaseDialogForm):
    """Asks what 1,000 tokens of each kind, requests and searches cost, in US dollars."""

    input = _rate(label="Input, US dollars per 1,000 tokens")
    output = _rate(label="Output, US dollars per 1,000 tokens")
    cached = _rate(label="Cached input", required=False, help_text=_AS_INPUT)
    cache_write = _rate(label="Cache write", required=False, help_text=_AS_INPUT)
    cache_write_long = _rate(
        label="One-hour cache write",
        required=False,
        help_text="US dollars per 1,000 tokens. Leave it empty to use the cost of a cache write.",
    )
    audio_input = _rate(label="Audio input", required=False, help_text=_AS_INPUT)
    image_input = _rate(label="Image input", required=False, help_text=_AS_INPUT)
    audio_output = _rate(label="Audio output", required=False, help_text=_AS_OUTPUT)
    image_output = _rate(label="Image output", required=False, help_text=_AS_OUTPUT)
    request = _rate(
        label="Request",
        required=False,
        help_text="US dollars per 1,000 requests, beside their tokens. Leave it empty for none.",
    )
    web_search = _rate(
        label="Web search",
        required=False,
        help_text="US dollars per 1,000 web searches by the provider. Leave it empty if it is not "
        "known: then calls cannot use them.",
    )
    cost_is_meant = meant_field()
    reason = reason_field()

    def clean(self) -> dict[str, Any]:
        """Ask about costs above all known prices."""
        super().clean()
        if not self.errors:
            ask_about(self, "input", [self.rates])
        return self.cleaned_data

    @property
    def rates(self) -> Rates:
        """The entered costs as rates."""
        entered = {name: self.cleaned_data[name] for name in (*RATE_NAMES, *NO_FEES)}
        return Rates(**{name: rate for name, rate in entered.items() if rate is not None})


class ModelsForm(BaseDialogForm):
    """Asks which models an API key serves besides its own, and what they cost."""

    serves = forms.CharField(
        label="Models",
        required=False,
        widget=UnfoldAdminTextareaWidget(),
        help_text="One name or pattern per line, such as gpt-4o-mini, gpt-4o* or * for all models "
        "of the provider that have a price. After a name you can write what 1,000 tokens of input "
        "and of output cost in US dollars: my-model 0.001 0.002.",
    )
    cost_is_meant = meant_field()
    reason = reason_field()

    def __init__(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        serves = ApiKey.objects.filter(pk=object_id).values_list("serves", flat=True).first()
        self.fields["serves"].initial = "\n".join(serves or ())

    @property
    def models(self) -> list[str]:
        """The entered names and patterns."""
        return [name for name, *_ in self._lines()]

    @property
    def rates(self) -> dict[str, Rates]:
        """The costs that were entered, by model."""
        return {
            name: Rates(input=Decimal(costs[0]), output=Decimal(costs[1]))
            for name, *costs in self._lines()
            if costs
        }

    def clean_serves(self) -> str:
        """Require one word per line, or three of which two are costs."""
        text: str = self.cleaned_data["serves"]
        for line in filter(None, map(str.split, text.splitlines())):
            if len(line) not in (1, 3) or not all(map(_is_cost, line[1:])):
                raise forms.ValidationError(
                    f"Write a model, or a model and two costs, instead of: {' '.join(line)}"
                )
        return text

    def clean(self) -> dict[str, Any]:
        """Ask about costs above all known prices."""
        super().clean()
        if not self.errors:
            ask_about(self, "serves", self.rates.values())
        return self.cleaned_data

    def _lines(self) -> list[list[str]]:
        return [line.split() for line in self.cleaned_data["serves"].splitlines() if line.strip()]


def _is_cost(text: str) -> bool:
    try:
        return Decimal(text).is_finite() and Decimal(text) >= 0
    except InvalidOperation:
        return False


class TokenForm(BaseDialogForm):
    """Asks what a new agent token may do, and for how long."""

    scopes = forms.MultipleChoiceField(
        choices=AgentToken.Scope.choices,
        initial=[AgentToken.Scope.SPEND, AgentToken.Scope.READ],
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    days = forms.IntegerField(
        label="Lifetime in days",
        initial=365,
        min_value=1,
        max_value=3650,
        widget=UnfoldAdminIntegerFieldWidget(),
    )


def show_proposed(request: HttpRequest, approval: Approval | None, *, success: str) -> None:
    """Say that a change was made, or that it waits for a second person, with a link."""
    if approval is None:
        messages.success(request, success)
        return
    link = widgets.link("approval", approval.pk, f"approval {approval.pk}")
    text = format_html("A second person must approve this change. It waits as {}.", link)
    messages.warning(request, text)
