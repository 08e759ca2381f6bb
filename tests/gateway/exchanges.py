"""Kept exchanges, made in one line each."""

from datetime import timedelta

from gateway import queries, services
from keys.models import CostCentre
from security.actor import Actor
from tests.keys.builders import allocate, hold
from tests.moments import NOON

GRACE = Actor.person("grace")
REQUEST = b'{"messages": [{"role": "user", "content": "canary-prompt-5d1e"}]}'
ANSWER = b'{"choices": [{"message": {"content": "canary-answer-77a0"}}]}'


def retain(days, centre="research", *, now=NOON):
    """Finance decides."""
    return services.set_retention(
        CostCentre.objects.get(pk=centre), days=days, actor=GRACE, reason="audit", now=now
    )


def call(agent="ada"):
    """A charge of `agent`."""
    return hold(allocate(agent, tokens=100, now=NOON), 10)


def keep(charge, *, days=30, now=NOON, **changes):
    """What the gateway does after a settlement."""
    kept = {
        "request": REQUEST,
        "answer": ANSWER,
        "status": 200,
        "media_type": "application/json",
        "complete": True,
    }
    services.keep_exchange(charge_id=charge.pk, days=days, now=now, **kept | changes)


def readable(charge, *, after_days=0):
    """Whether it can be read so many days later."""
    return queries.exchange_of(charge.pk, now=NOON + timedelta(days=after_days)) is not None
