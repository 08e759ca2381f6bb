"""The act that adds an agent."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms

from common.admin.visible_rows import visible_to
from dashboard.acts import Act, ActForm, Outcome
from keys import services as keys
from keys.identity.queries.organisation import organisation
from keys.models import Agent, CostCentre, Period, Unit
from security.actor import Actor


class AddForm(ActForm):
    """Asks for the name, who pays, and what the agent may spend. Its subject is the person."""

    slug = forms.CharField(
        label="Name",
        max_length=64,
        help_text="The name of the agent in the API: a-z, 0-9, - and _. It cannot be changed "
        "later.",
    )
    title = forms.CharField(
        label="What it is", max_length=200, required=False, help_text="Shown beside its name."
    )
    cost_centre = forms.ModelChoiceField(
        CostCentre.objects.none(), help_text="Pays for what the agent spends."
    )
    amount = forms.DecimalField(
        label="US dollars a month",
        max_digits=24,
        decimal_places=9,
        required=False,
        help_text="Leave it empty to let only the limits of its cost centres and the limit of new "
        "agents bound it.",
    )
    field_order = ("slug", "title", "cost_centre", "amount", "reason")

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        seen = visible_to(subject, CostCentre.objects.open().order_by("path"))
        self.fields["cost_centre"].queryset = seen  # type: ignore[attr-defined]


def _add(person: Any, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    terms = _terms(asked["amount"])
    if terms:
        terms.check()
    agent: Agent = keys.create_agent(
        asked["slug"],
        cost_centre=asked["cost_centre"].pk,
        name=asked["title"],
        reason=asked["reason"],
        actor=actor,
        now=now,
    )
    approval = terms and keys.propose_limit(
        agent, terms=terms, reason=asked["reason"], actor=actor, now=now
    )
    return approval or f"{agent.pk} is added. Issue a token for it, so that it can begin."


def _terms(amount: Decimal | None) -> keys.Terms | None:
    if amount is None:
        return None
    zone = organisation().reporting_zone
    return keys.Terms(unit=Unit.USD, period=Period.MONTH, amount=amount, zone=zone)


ADD = Act(
    name="add",
    button="Add an agent",
    about="An agent is a program that spends on behalf of one cost centre.",
    permission="keys.add_agent",
    form=AddForm,
    perform=_add,
)
