"""Actions that ask before they do something: by POST, in a dialog of django-unfold."""

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
    """Asks for another secret, which is never shown."""

    secret = forms.CharField(
        label="New secret",
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Stored sealed and never shown again.",
    )
    reason = reason_field()


class RatesForm(BaseDialogForm):
    """Asks what 1,000 tokens cost."""

    input = _rate(label="Input, USD per 1,000 tokens")
    output = _rate(label="Output, USD per 1,000 tokens")
    cached = _rate(
        label="Cached input", required=False, help_text="Empty: as input. USD per 1,000 tokens."
    )
    cache_write = _rate(
        label="Cache write", required=False, help_text="Empty: as input. USD per 1,000 tokens."
    )
    cache_write_long = _rate(
        label="Cache write kept an hour",
        required=False,
        help_text="Empty: as cache write. USD per 1,000 tokens.",
    )
    audio_input = _rate(
        label="Audio input", required=False, help_text="Empty: as input. USD per 1,000 tokens."
    )
    audio_output = _rate(
        label="Audio output", required=False, help_text="Empty: as output. USD per 1,000 tokens."
    )
    reason = reason_field()

    @property
    def rates(self) -> Rates:
        """What was asked for, as plain values."""
        return Rates(**{name: self.cleaned_data[name] for name in RATE_NAMES})


class TokenForm(BaseDialogForm):
    """Asks what a new agent token may do, and for how long."""

    scopes = forms.MultipleChoiceField(
        choices=AgentToken.Scope.choices,
        initial=[AgentToken.Scope.SPEND, AgentToken.Scope.READ],
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    days = forms.IntegerField(
        label="Days it lives",
        initial=365,
        min_value=1,
        max_value=3650,
        widget=UnfoldAdminIntegerFieldWidget(),
    )


def dialog_response(request: HttpRequest, template: str, **context: object) -> HttpResponse:
    """An answer in place of the dialog, never kept by the browser."""
    answer = render(request, template, context)
    answer.headers["Cache-Control"] = "no-store"
    # The dialog's own form would put a part of the answer into itself.
    answer.headers["HX-Retarget"] = answer.headers["HX-Reselect"] = "#dialog"
    answer.headers["HX-Reswap"] = "outerHTML"
    return answer
