"""The act that changes a limit of an API key, an agent or a cost centre."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms

from dashboard.acts import Act, ActForm, Outcome
from keys import services as keys
from keys.models import Agent, ApiKey, CostCentre, Limit
from security.actor import Actor

Subject = ApiKey | Agent | CostCentre


class LimitChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # not subscriptable at run time
    """A limit, as `tokens per day, now 1,000,000`."""

    def label_from_instance(self, obj: Limit) -> str:
        """The words for a limit."""
        period = "in total" if obj.period == "total" else f"per {obj.period}"
        return f"{obj.get_unit_display()} {period}, now {obj.amount.normalize():,f}"


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


def _change_limit(subject: Subject, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    limit: Limit = asked["limit"]
    amount: Decimal = asked["amount"]
    terms = keys.Terms(
        unit=limit.unit,
        period=limit.period,
        amount=amount,
        zone=limit.zone,
        reset_hour=limit.reset_hour,
    )
    approval = keys.propose_limit(
        subject, terms=terms, reason=asked["reason"], actor=actor, now=now
    )
    return approval or f"The limit of {subject.pk} is {amount.normalize():,f} now."


CHANGE_LIMIT = Act(
    name="limit",
    button="Change limit",
    about="The new limit counts from now on, with what was used in its period. If the policy "
    "asks for a second person, it waits for an approval.",
    permission="keys.change_limit",
    form=LimitForm,
    perform=_change_limit,
)
