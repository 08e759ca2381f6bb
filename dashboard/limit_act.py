"""The acts that change a limit of an API key, an agent or a cost centre."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms

from dashboard.acts import Act, ActForm, Outcome
from keys import services as keys
from keys.models import Agent, ApiKey, CostCentre, Limit, Period
from security.actor import Actor

Subject = ApiKey | Agent | CostCentre


class LimitChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # not subscriptable at run time
    """A limit, as `tokens per day, now 1,000,000`."""

    def label_from_instance(self, obj: Limit) -> str:
        """The words for a limit."""
        period = "in total" if obj.period == "total" else f"per {obj.period}"
        most = obj.carry_over_max
        carries = "" if most is None else f", carries over up to {most.normalize():,f}"
        return f"{obj.get_unit_display()} {period}, now {obj.amount.normalize():,f}{carries}"


class LimitForm(ActForm):
    """Asks which limit changes, and to what."""

    limit = LimitChoice(Limit.objects.none(), empty_label=None)
    amount = forms.DecimalField(
        label="New amount",
        max_digits=24,
        decimal_places=9,
        help_text="In whole tokens, or in US dollars. A lower limit stops nothing that is lent "
        "already; nothing new is lent above it.",
    )
    field_order = ("limit", "amount", "reason")

    def __init__(self, subject: Subject, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        limits = subject.limits.filter(removed_at=None).order_by("unit", "period")
        self.fields["limit"].queryset = limits  # type: ignore[attr-defined]


class CarryOverForm(ActForm):
    """Asks what of a limit is carried over from one period to the next, at most."""

    limit = LimitChoice(Limit.objects.none(), empty_label=None)
    carry_over_max = forms.DecimalField(
        label="Carry over at most",
        min_value=0,
        max_digits=24,
        decimal_places=9,
        help_text="In whole tokens, or in US dollars. With 0, each period begins with the amount "
        "of the limit alone.",
    )
    field_order = ("limit", "carry_over_max", "reason")

    def __init__(self, subject: Subject, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        limits = subject.limits.filter(removed_at=None).exclude(period=Period.TOTAL)
        limits = limits.order_by("unit", "period")
        self.fields["limit"].queryset = limits  # type: ignore[attr-defined]
        # Of one that the link names, or the only one: no amount is sent for another limit.
        asked = str(self.initial.get("limit", ""))
        named = [each for each in limits if len(limits) == 1 or str(each.pk) == asked]
        for limit in named:
            self.initial["carry_over_max"] = f"{(limit.carry_over_max or Decimal(0)).normalize():f}"


def _terms(limit: Limit, **changes: Any) -> keys.Terms:
    """The terms that the limit has, with changes."""
    names = ("unit", "period", "amount", "zone", "reset_hour", "carry_over_max")
    return keys.Terms(**{name: getattr(limit, name) for name in names} | changes)


def _change_limit(subject: Subject, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    amount: Decimal = asked["amount"]
    terms = _terms(asked["limit"], amount=amount)
    approval = keys.propose_limit(
        subject, terms=terms, reason=asked["reason"], actor=actor, now=now
    )
    return approval or f"The limit of {subject.pk} is {amount.normalize():,f} now."


def _change_carry_over(
    subject: Subject, asked: dict[str, Any], actor: Actor, now: datetime
) -> Outcome:
    most: Decimal = asked["carry_over_max"]
    terms = _terms(asked["limit"], carry_over_max=most)
    approval = keys.propose_limit(
        subject, terms=terms, reason=asked["reason"], actor=actor, now=now
    )
    if approval or not most:
        return approval or f"The limit of {subject.pk} carries nothing over."
    return f"The limit of {subject.pk} carries over up to {most.normalize():,f}."


CHANGE_LIMIT = Act(
    name="limit",
    button="Change limit",
    about="The new limit counts from now on, with what was used in its period. If the policy "
    "asks for a second person, it waits for an approval.",
    permission="keys.change_limit",
    form=LimitForm,
    perform=_change_limit,
)
CHANGE_CARRY_OVER = Act(
    name="carry-over",
    button="Carry over",
    about="What a period leaves, neither used nor committed, is added to the next one, up to this "
    "amount. It counts from the end of the running period on; what was carried over into that "
    "stays. If the policy asks for a second person, it waits for an approval.",
    permission="keys.change_limit",
    form=CarryOverForm,
    perform=_change_carry_over,
    applies=lambda subject: any(each.period != Period.TOTAL for each in subject.limits_in_force),
)
