"""What people may do to an agent."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django import forms
from django.views.decorators.debug import sensitive_variables

from dashboard.acts import Act, ActForm, Outcome
from dashboard.freeze_acts import FREEZE, THAW
from dashboard.limit_act import CHANGE_CARRY_OVER, CHANGE_LIMIT
from keys import services as keys
from keys.identity.queries.organisation import organisation
from keys.models import Agent, AgentToken, Period, Unit
from security.actor import Actor

TOKEN_DAYS = 365
TOKEN_DAYS_MAX = 3650


class NewLimitForm(ActForm):
    """Asks what the limit is of, and how much it allows."""

    unit = forms.ChoiceField(choices=Unit.choices, initial=Unit.USD)
    period = forms.ChoiceField(choices=Period.choices, initial=Period.MONTH)
    amount = forms.DecimalField(
        max_digits=24, decimal_places=9, help_text="In whole tokens, or in US dollars."
    )
    field_order = ("unit", "period", "amount", "reason")


class TokenForm(ActForm):
    """Asks what the token allows, and for how long."""

    scopes = forms.MultipleChoiceField(
        label="The token may",
        choices=AgentToken.Scope.choices,
        initial=[AgentToken.Scope.SPEND, AgentToken.Scope.READ],
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.IntegerField(
        label="Lifetime in days", initial=TOKEN_DAYS, min_value=1, max_value=TOKEN_DAYS_MAX
    )
    field_order = ("scopes", "days", "reason")


class TokenChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # not subscriptable at run time
    """A token by its beginning, with when it was last used."""

    def label_from_instance(self, obj: AgentToken) -> str:
        """The words for a token."""
        used = f"{obj.last_used_at:%Y-%m-%d %H:%M} UTC" if obj.last_used_at else "never"
        return f"{obj.prefix}…, last used {used}"


class RevokeForm(ActForm):
    """Asks which token stops working."""

    token = TokenChoice(AgentToken.objects.none(), empty_label=None)
    field_order = ("token", "reason")

    def __init__(self, subject: Agent, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        live = subject.tokens.filter(revoked_at=None).order_by("-pk")
        self.fields["token"].queryset = live  # type: ignore[attr-defined]


def _add_limit(agent: Agent, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    terms = keys.Terms(
        unit=asked["unit"],
        period=asked["period"],
        amount=asked["amount"],
        zone=organisation().reporting_zone,
    )
    approval = keys.propose_limit(agent, terms=terms, reason=asked["reason"], actor=actor, now=now)
    return approval or f"{agent.pk} has this limit from now on."


@sensitive_variables()
def issue(agent: Agent, asked: dict[str, Any], actor: Actor, now: datetime) -> tuple[Any, str]:
    """The row of a new token, and the token itself, which nothing keeps."""
    return keys.issue_token(
        agent,
        scopes=asked["scopes"],
        days=asked["days"],
        reason=asked["reason"],
        actor=actor,
        now=now,
    )


def _revoke(agent: Agent, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    token: AgentToken = asked["token"]
    keys.revoke_token(token, reason=asked["reason"], actor=actor, now=now)
    return f"The token {token.prefix}… stopped working."


def _switch_off(agent: Agent, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    keys.disable_agent(agent, reason=asked["reason"], actor=actor, now=now)
    return f"{agent.pk} is switched off."


def _switch_on(agent: Agent, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    keys.enable_agent(agent, reason=asked["reason"], actor=actor, now=now)
    return f"{agent.pk} is switched on."


def _issued_by_the_page(*args: Any) -> Outcome:
    raise AssertionError("The page issues the token, since its answer shows it once.")


ISSUE_TOKEN = Act(
    name="token",
    button="Issue a token",
    about="Butler shows the token once, right after this. An agent can have two live tokens, so "
    "that it can change from one to the other.",
    permission="keys.add_agenttoken",
    form=TokenForm,
    perform=_issued_by_the_page,
)
ACTS = (
    replace(CHANGE_LIMIT, applies=lambda agent: bool(agent.limits_in_force)),
    CHANGE_CARRY_OVER,
    Act(
        name="add-limit",
        button="Add a limit",
        about="The limit counts what was used in its period already. Its periods begin at "
        "midnight in the reporting zone, those of a limit per hour on the hour.",
        permission="keys.add_limit",
        form=NewLimitForm,
        perform=_add_limit,
    ),
    ISSUE_TOKEN,
    Act(
        name="revoke",
        button="Revoke a token",
        about="The token stops working at once. Sessions that it began go on until they end.",
        permission="keys.change_agenttoken",
        form=RevokeForm,
        perform=_revoke,
        applies=lambda agent: agent.has_tokens,
    ),
    replace(FREEZE, applies=lambda agent: not agent.is_frozen_itself),
    replace(THAW, applies=lambda agent: agent.is_frozen),
    Act(
        name="off",
        button="Switch off",
        about="The agent gets no new allocations, and its tokens stop working.",
        permission="keys.change_agent",
        perform=_switch_off,
        applies=lambda agent: agent.disabled_at is None,
    ),
    Act(
        name="on",
        button="Switch on",
        about="The agent may spend again.",
        permission="keys.change_agent",
        perform=_switch_on,
        applies=lambda agent: agent.disabled_at is not None,
    ),
)
