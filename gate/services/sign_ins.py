"""Where people are signed in: noted, and ended."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction

from common.live_notices import announce, person_topic
from gate.audit_actions import Action
from security import audit
from security.actor import Actor

NOTED_EVERY = timedelta(minutes=5)


def note_activity(session_key: str, *, now: datetime) -> None:
    """Write down that the session was used, at most every five minutes."""
    UserSession.objects.filter(session_key=session_key, last_seen_at__lt=now - NOTED_EVERY).update(
        last_seen_at=now
    )


@transaction.atomic(durable=True)
def sign_out(person: User, session_id: int, *, actor: Actor, now: datetime) -> int:
    """End one session of the person, by the id of its sign-in; returns how many ended: 0 or 1."""
    found = UserSession.objects.filter(user=person, pk=session_id)
    ended = _end(found.values_list("session_key", flat=True))
    _record(person, ended, reason="", actor=actor, now=now)
    return ended


@transaction.atomic(durable=True)
def sign_out_others(person: User, *, keep: str, actor: Actor, now: datetime) -> int:
    """End all sessions of the person but the one with the key `keep`; returns how many ended."""
    ended = _end([key for key in session_keys(person, now=now) if key != keep])
    _record(person, ended, reason="", actor=actor, now=now)
    return ended


def end_sessions(person: User, *, now: datetime) -> int:
    """Sign the person out everywhere, in the caller's transaction; returns how many ended."""
    return _end(session_keys(person, now=now))


def session_keys(person: User, *, now: datetime) -> list[str]:
    """The keys of all sessions of the person. Sessions have no column for whom they are of."""
    live = Session.objects.filter(expire_date__gt=now).iterator()
    return [each.session_key for each in live if _is_of(each, person)]


def _is_of(session: Session, person: User) -> bool:
    decoded: dict[str, Any] = session.get_decoded()
    return decoded.get(SESSION_KEY) == str(person.pk)


def _end(session_keys: Iterable[str]) -> int:
    keys = list(session_keys)
    UserSession.objects.filter(session_key__in=keys).delete()
    ended, _ = Session.objects.filter(session_key__in=keys).delete()
    return ended


def _record(person: User, ended: int, *, reason: str, actor: Actor, now: datetime) -> None:
    """Streams of the person ask again who they are."""
    if ended:
        announce(person_topic(person.pk))
        audit.record(
            actor=actor,
            action=Action.PERSON_SIGN_OUT,
            subject=f"user:{person.pk}",
            after={"sessions": ended},
            reason=reason,
            at=now,
        )
