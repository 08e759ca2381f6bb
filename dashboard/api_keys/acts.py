"""What people may do to an API key: each act is a dialog on its page, and calls one service."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms

from common import formatting
from gateway import services as gateway
from keys import services as keys
from keys.models import ApiKey, FreezeMode, Limit
from security.actor import Actor
from security.models import Approval

# What came of an act: the approval that it waits for, or a sentence.
Outcome = Approval | str
Perform = Callable[[ApiKey, dict[str, Any], Actor, datetime], Outcome]


class ActForm(forms.Form):
    """Asks why; the history keeps the reason."""

    reason = forms.CharField(max_length=300, help_text="The history keeps it with your name.")

    def __init__(self, api_key: ApiKey, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class NoQuestions(forms.Form):
    """Asks nothing."""

    def __init__(self, api_key: ApiKey, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class FreezeForm(ActForm):
    """Asks what happens to running calls, too."""

    mode = forms.ChoiceField(
        label="Running calls",
        choices=FreezeMode.choices,
        help_text="Calls that are ended are charged by what came of them.",
    )
    field_order = ("mode", "reason")


class LimitChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # not subscriptable at run time
    """A limit, as `tokens per day, now 1,000,000`."""

    def label_from_instance(self, obj: Limit) -> str:
        """The words for a limit."""
        period = "in total" if obj.period == "total" else f"per {obj.period}"
        return f"{obj.get_unit_display()} {period}, now {obj.amount.normalize():,f}"


class LimitForm(ActForm):
    """Asks which limit of the key changes, and to what."""

    limit = LimitChoice(Limit.objects.none(), empty_label=None)
    amount = forms.DecimalField(
        label="New amount",
        max_digits=24,
        decimal_places=9,
        help_text="In whole tokens, or in US dollars. A lower limit stops nothing that is lent "
        "already; nothing new is lent above it.",
    )
    field_order = ("limit", "amount", "reason")

    def __init__(self, api_key: ApiKey, *args: Any, **kwargs: Any) -> None:
        super().__init__(api_key, *args, **kwargs)
        limits = api_key.limits.filter(removed_at=None).order_by("unit", "period")
        self.fields["limit"].queryset = limits  # type: ignore[attr-defined]


@dataclass(frozen=True, kw_only=True)
class Act:
    """An act: the button that leads to its dialog, what the dialog says, and the service."""

    name: str
    button: str
    about: str
    permission: str
    perform: Perform
    form: type[ActForm | NoQuestions] = ActForm
    applies: Callable[[ApiKey], bool] = lambda api_key: True

    def is_for(self, user: Any, api_key: ApiKey) -> bool:
        """Whether the person may do it, and the key is such that it does something."""
        return user.has_perm(self.permission) and self.applies(api_key)


def acts_for(user: Any, api_key: ApiKey) -> list[Act]:
    """What the person may do to the key now."""
    return [act for act in ACTS if act.is_for(user, api_key)]


def _change_limit(api_key: ApiKey, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
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
        api_key, terms=terms, reason=asked["reason"], actor=actor, now=now
    )
    return approval or f"The limit of {api_key.pk} is {amount.normalize():,f} now."


def _set_status(status: str, success: str) -> Perform:
    def perform(api_key: ApiKey, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        reason = asked["reason"]
        keys.set_key_status(api_key.pk, status=status, reason=reason, actor=actor, now=now)
        return success.format(api_key.pk)

    return perform


def _test(api_key: ApiKey, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    probe = gateway.probe_each([api_key.pk], now=now)[api_key.pk]
    return f"{probe.summary} {probe.reason}".strip()


def _rotate(api_key: ApiKey, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    moved, stayed = keys.rotate_away(api_key.pk, reason=asked["reason"], actor=actor, now=now)
    left = f" {stayed:,} stay, since no other key has room." if stayed else ""
    return f"{formatting.count(moved, 'session')} moved to other keys.{left}"


def _freeze(api_key: ApiKey, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    keys.freeze(api_key.scope, mode=asked["mode"], reason=asked["reason"], actor=actor, now=now)
    return f"{api_key.pk} is frozen."


_OFF = ApiKey.Status.INACTIVE
ACTS = (
    Act(
        name="limit",
        button="Change limit",
        about="The new limit counts from now on, with what was used in its period. If the policy "
        "asks for a second person, it waits for an approval.",
        permission="keys.change_limit",
        form=LimitForm,
        perform=_change_limit,
    ),
    Act(
        name="pause",
        button="Pause",
        about="Butler lends no more tokens on this key and moves its live allocations to other "
        "keys.",
        permission="keys.change_apikey",
        perform=_set_status("inactive", "{} is paused."),
        applies=lambda api_key: api_key.status != _OFF,
    ),
    Act(
        name="resume",
        button="Resume",
        about="Butler lends tokens on this key again.",
        permission="keys.change_apikey",
        perform=_set_status("active", "{} is active again."),
        applies=lambda api_key: api_key.status != ApiKey.Status.ACTIVE,
    ),
    Act(
        name="test",
        button="Test",
        about="Butler asks the provider for its list of models with this key. It costs nothing. If "
        "the provider rejects the key, Butler stops using it.",
        permission="keys.change_apikey",
        form=NoQuestions,
        perform=_test,
        applies=lambda api_key: api_key.secret is not None,
    ),
    Act(
        name="rotate",
        button="Rotate sessions",
        about="What is left of each live allocation moves to another key that has room. Their "
        "sessions go on.",
        permission="keys.change_apikey",
        perform=_rotate,
    ),
    Act(
        name="freeze",
        button="Freeze",
        about="No call is made with this key, by no process, until somebody else thaws it.",
        permission="keys.add_freeze",
        form=FreezeForm,
        perform=_freeze,
    ),
)
