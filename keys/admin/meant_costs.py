"""The question of forms about costs that are probably those of a million tokens."""

from collections.abc import Iterable
from typing import Any

from django import forms
from unfold.widgets import UnfoldBooleanSwitchWidget

from keys.supply.pricing import Rates, doubt

FIELD = "cost_is_meant"


def meant_field() -> forms.BooleanField:
    """The field that says that costs above all known prices are right."""
    return forms.BooleanField(
        label="These costs are right",
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Only for costs above all known prices, about which Butler asks.",
    )


def ask_about(form: Any, field: str, rates: Iterable[Rates]) -> None:
    """Ask beside the field about the first of the rates that is in doubt, unless it is meant."""
    questions = (question for each in rates if (question := doubt(each)))
    question = next(questions, "")
    if question and not form.cleaned_data.get(FIELD):
        form.add_error(field, f"{question} If it is meant, say so below.")
