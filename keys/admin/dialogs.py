"""The forms of dialogs that actions open, and the response that replaces a dialog."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
)

from common.admin.dialogs import reason_field
from keys.models import AgentToken
from keys.supply.pricing import RATE_NAMES, Rates

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
    """Asks what 1,000 tokens of each kind cost, in US dollars."""

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
    reason = reason_field()

    @property
    def rates(self) -> Rates:
        """The entered costs as rates."""
        return Rates(**{name: self.cleaned_data[name] for name in RATE_NAMES})


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


def dialog_response(request: HttpRequest, template: str, **context: object) -> HttpResponse:
    """A response that replaces the dialog and that the browser does not keep."""
    response = render(request, template, context)
    response.headers["Cache-Control"] = "no-store"
    # Without these headers, the dialog's form would put a part of the response into itself.
    response.headers["HX-Retarget"] = response.headers["HX-Reselect"] = "#dialog"
    response.headers["HX-Reswap"] = "outerHTML"
    return response
