"""The rows: ten honest agents and attackers, all on the same keys of the sandbox; staff."""

from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
)
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from alerts import services as alerts
from bench import rows
from keys import services as keys
from keys.identity.queries.credentials import session_token
from keys.models import Agent, Allocation

HONEST = 10
MODEL = "gpt-4o-mini"
_KEYS = 4
_PLENTY = 10**11
# Of an attacker's session.
_BUDGET = 10_000_000


class Attacker(NamedTuple):
    """What an attacker has: tokens of an agent and of its session, the cookie of staff, and the
    channel that they have."""

    agent_token: str
    session_token: str
    session_id: str
    staff_session: str
    channel_id: str


class Rows(NamedTuple):
    """Session tokens of the honest agents; an attacker for each kind of attack."""

    honest: list[str]
    attackers: dict[str, Attacker]


def make(kinds: list[str]) -> Rows:
    """Make them."""
    rows.make()
    for number in range(_KEYS):
        api_key = rows.add_key(f"shared-{number}", provider="shared", model=MODEL, sandbox=True)
        for period in ("day", "month"):
            rows.limit(api_key, period)
    channel = alerts.add_channel(
        name="ops", url="json://hooks.example.org/x", actor=rows.ACTOR, now=timezone.now()
    )
    honest = [
        session_token(_lend(f"agent-{number}", _PLENTY).session_id) for number in range(HONEST)
    ]
    staff_session = _sign_in()
    attackers = {
        kind: _attacker(f"agent-{HONEST + number}", staff_session, str(channel.pk))
        for number, kind in enumerate(kinds)
    }
    return Rows(honest, attackers)


def _attacker(name: str, *staff: str) -> Attacker:
    agent = Agent.objects.get(pk=name)
    _, agent_token = keys.issue_token(agent, actor=rows.ACTOR, now=rows.now())
    session_id = _lend(name, _BUDGET).session_id
    return Attacker(agent_token, session_token(session_id), session_id, *staff)


def _lend(agent: str, tokens: int) -> Allocation:
    return rows.lend(agent, tokens=tokens, provider="shared")


def _sign_in() -> str:
    """The key of a session of a superuser."""
    user = get_user_model().objects.create_superuser("staff")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)
