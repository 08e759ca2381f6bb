"""The soft thresholds of budgets: which there are and which are reached; the act that sets them."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.db.models import QuerySet

from common import formatting
from dashboard.acts import Act, ActForm, Outcome
from dashboard.limit_act import LimitChoice
from keys import services as keys
from keys.models import Agent, CostCentre, Limit, Organisation, ThresholdCrossing, Window
from security.actor import Actor


class Threshold(NamedTuple):
    """One threshold of a budget; `crossed_at`: when the running period reached it."""

    words: str
    figure: Decimal
    crossed_at: datetime | None


def thresholds_of(
    windows: QuerySet[Window], *, organisation: Organisation
) -> dict[int, list[Threshold]]:
    """The thresholds of the limits with these open windows, by the id of the limit; two queries."""
    open_windows = list(windows.filter(closed_at=None).select_related("limit"))
    counting = ThresholdCrossing.objects.filter(window__in=open_windows, ended_at=None)
    crossed: dict[int, dict[str, datetime]] = defaultdict(dict)
    for each in counting:
        crossed[each.window_id][each.threshold] = each.crossed_at
    return {
        window.limit_id: _thresholds(window, organisation, crossed[window.pk])
        for window in open_windows
    }


def _thresholds(
    window: Window, organisation: Organisation, crossed: dict[str, datetime]
) -> list[Threshold]:
    limit = window.limit
    percents = limit.threshold_percents
    if percents is None:
        percents = organisation.budget_threshold_percents
    found = {
        Threshold(f"{each} %", window.amount * each / 100, crossed.get(f"{each}%"))
        for each in percents
    }
    for each in limit.threshold_amounts:
        words = formatting.quantity(each, unit=window.unit)
        found.add(Threshold(words, each, crossed.get(f"{each.normalize():f}")))
    return sorted(found, key=lambda each: (each.figure, each.words))


class ThresholdForm(ActForm):
    """Asks at which usage of which budget an alert is raised."""

    limit = LimitChoice(Limit.objects.none(), empty_label=None, label="Budget")
    of_organisation = forms.BooleanField(
        label="Use the percentages of the organisation",
        required=False,
        help_text="Then leave the percentages below empty.",
    )
    percents = SimpleArrayField(
        forms.IntegerField(),
        label="Percentages",
        required=False,
        help_text="Such as 50, 80, 100. They are of the amount of the limit with what was carried "
        "over, without grants.",
    )
    amounts = SimpleArrayField(
        forms.DecimalField(max_digits=24, decimal_places=9),
        label="Amounts",
        required=False,
        help_text="In whole tokens, or in US dollars, without separators of thousands, such as "
        "250000, 400000.",
    )
    field_order = ("limit", "of_organisation", "percents", "amounts", "reason")

    def __init__(self, subject: CostCentre | Agent, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        limits = subject.limits.filter(removed_at=None).order_by("unit", "period")
        self.fields["limit"].queryset = limits  # type: ignore[attr-defined]
        asked = str(self.initial.get("limit", ""))
        if asked and (limit := next((each for each in limits if str(each.pk) == asked), None)):
            own = limit.threshold_percents
            self.initial["of_organisation"] = own is None
            self.initial["percents"] = own or []
            self.initial["amounts"] = [f"{each.normalize():f}" for each in limit.threshold_amounts]

    def clean(self) -> dict[str, Any]:
        """A list beside that of the organisation would not count."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("of_organisation") and cleaned.get("percents"):
            self.add_error("percents", "Leave this empty, or do not use the organisation's.")
        return cleaned


def _set_thresholds(
    subject: CostCentre | Agent, asked: dict[str, Any], actor: Actor, now: datetime
) -> Outcome:
    keys.set_thresholds(
        asked["limit"],
        percents=None if asked["of_organisation"] else asked["percents"],
        amounts=asked["amounts"],
        reason=asked["reason"],
        actor=actor,
        now=now,
    )
    return f"The alerts of the budget of {subject.pk} are set."


SET_THRESHOLDS = Act(
    name="thresholds",
    button="Set alerts",
    about="An alert is raised when the usage of the running period reaches one of these, once in "
    "each period. What is reached already is told within a minute. If the limit is raised above "
    "the usage, its percentages are told again.",
    permission="keys.change_limit",
    form=ThresholdForm,
    perform=_set_thresholds,
    applies=lambda subject: bool(subject.limits_in_force),
)
