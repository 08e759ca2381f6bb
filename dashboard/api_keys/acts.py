"""What people may do to an API key."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from common import formatting
from dashboard.acts import Act, NoQuestions, Outcome, Perform
from dashboard.freeze_acts import FREEZE
from dashboard.limit_act import CHANGE_LIMIT
from gateway import services as gateway
from keys import services as keys
from keys.models import ApiKey
from security.actor import Actor


def _set_status(status: str, success: str) -> Perform:
    def perform(api_key: ApiKey, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        reason = asked["reason"]
        keys.set_key_status(api_key.pk, status=status, reason=reason, actor=actor, now=now)
        return success.format(api_key.pk)

    return perform


def _test(api_key: ApiKey, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    return gateway.probe_each([api_key.pk], now=now)[api_key.pk].text


def _rotate(api_key: ApiKey, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    run, is_new = keys.ask_rotation(api_key, reason=asked["reason"], actor=actor, now=now)
    if not is_new:
        return f"The sessions of {api_key.pk} are being rotated already, because: {run.reason}"
    return f"{formatting.count(run.sessions, 'session')} will move to other keys."


def _hide(api_key: ApiKey, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    keys.hide_key(api_key.pk, reason=asked["reason"], actor=actor, now=now)
    return f"{api_key.pk} is hidden. Search finds it, and its page can show it again."


def _show(api_key: ApiKey, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    keys.show_key(api_key.pk, reason=asked["reason"], actor=actor, now=now)
    return f"{api_key.pk} is listed again. It stays paused until it is resumed."


_OFF = ApiKey.Status.INACTIVE
ACTS = (
    CHANGE_LIMIT,
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
        applies=lambda api_key: api_key.status != ApiKey.Status.ACTIVE and not api_key.hidden_at,
    ),
    Act(
        name="hide",
        button="Hide",
        about="The key was never lent. It is paused, and no list or choice has it; its history "
        "stays. It can be shown again.",
        permission="keys.change_apikey",
        perform=_hide,
        applies=lambda api_key: not api_key.hidden_at and not api_key.was_lent,
    ),
    Act(
        name="show",
        button="Show again",
        about="Lists and choices have the key again. It stays paused until it is resumed.",
        permission="keys.change_apikey",
        perform=_show,
        applies=lambda api_key: api_key.hidden_at is not None,
    ),
    Act(
        name="test",
        button="Test",
        about="Butler asks the provider for its list of models with this key. It costs nothing, "
        "and does not show whether the account has credit. If the provider rejects the key, Butler "
        "stops using it.",
        permission="keys.change_apikey",
        form=NoQuestions,
        perform=_test,
        applies=lambda api_key: api_key.secret is not None,
    ),
    Act(
        name="rotate",
        button="Rotate sessions",
        about="What is left of each live allocation moves to another key that has room. Their "
        "sessions go on. A job does it, and the page of the key says how far it is.",
        permission="keys.change_apikey",
        perform=_rotate,
    ),
    replace(
        FREEZE,
        about="No call is made with this key, by no process, until somebody else thaws it.",
    ),
)
