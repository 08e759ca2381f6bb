"""Import usage that another system recorded: closed sessions, once each."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from keys.audit_actions import Action
from keys.books.queries.closed_usage import ClosedPeriod, hold_closed_periods
from keys.books.services.import_sessions import PastSession, write_sessions
from keys.limits.services import windows
from keys.models import Allocation
from keys.refusals import WrongValue
from security import audit
from security.actor import Actor


class KnownUsage(NamedTuple):
    """Which of some sessions are in the books already, and which cannot be imported.

    `differing`: those that are there with another `origin`. `closed`: the name of the period by
    the session that is not there and would be in it.
    """

    there: set[str]
    differing: set[str]
    closed: dict[str, str]


@transaction.atomic
def known_usage(sessions: Sequence[PastSession]) -> KnownUsage:
    """What `import_usage` would find of these sessions now."""
    return _known(sessions, hold_closed_periods())


@transaction.atomic(durable=True)
def import_usage(
    sessions: Sequence[PastSession], *, source: str, actor: Actor, now: datetime
) -> int:
    """Write the sessions that are not there yet; returns how many that were.

    A session is the same if its id is; its `origin` must then be the same, too. `source` names the
    file for the audit. The charges count in the limits of the periods in which they were settled.
    Agents cannot spend until the transaction ends: import some thousand sessions at a time.
    Refusals: WrongValue (a session that is there with another origin, a closed period, a model that
    the key has no price for).
    """
    closed = hold_closed_periods()
    windows.take_books_alone()
    known = _known(sessions, closed)
    if known.differing:
        session = min(known.differing)
        raise WrongValue(f"{session} was imported with other figures.", field="session_id")
    if known.closed:
        name = min(known.closed.values())
        raise WrongValue(f"{name} is closed, so it takes no more usage.", field="date")
    new = [session for session in sessions if session.session_id not in known.there]
    if not new:
        return 0
    write_sessions(new, now=now)
    audit.record(
        actor=actor,
        action=Action.USAGE_IMPORT,
        subject="usage:imported",
        after={
            "file": source,
            "rows": len(new),
            "tokens": sum(session.used for session in new),
            "since": min(session.created_at for session in new),
            "until": max(session.closed_at for session in new),
        },
        at=now,
    )
    return len(new)


def _known(sessions: Sequence[PastSession], closed: Sequence[ClosedPeriod]) -> KnownUsage:
    asked = Allocation.objects.filter(session_id__in=[each.session_id for each in sessions])
    there = dict(asked.values_list("session_id", "asked"))
    return KnownUsage(
        set(there),
        {
            session.session_id
            for session in sessions
            if session.session_id in there
            and there[session.session_id] != {"imported": session.origin}
        },
        dict(_in_closed(sessions, there, closed)),
    )


def _in_closed(
    sessions: Sequence[PastSession], there: dict[str, object], closed: Sequence[ClosedPeriod]
) -> Iterator[tuple[str, str]]:
    for session in sessions:
        if session.session_id in there:
            continue
        for period in closed:
            if period.starts_at <= session.closed_at < period.ends_at:
                yield session.session_id, period.name
