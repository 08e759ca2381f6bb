"""What every request that moves money by a rail has in common: it is written down before the first
byte leaves, sent once, and read until something definite is known."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from treasury.rails.base import Answer, Outcome

# An answer takes less. A program that was killed in between writes none down: after that, the rail
# is asked what it has.
ANSWER_WITHIN = timedelta(minutes=2)
# A key is not used shortly before the vendor forgets it.
_MARGIN = timedelta(minutes=10)
# How often the rail is asked: at first, and at most; each time twice as long as the time before.
_ASK_FIRST_SECONDS, ASK_LAST = 30, timedelta(hours=1)


def request_columns(body: str, *, key_life: timedelta, now: datetime) -> dict[str, Any]:
    """The columns of a row that is sent for the first time: what every request for it repeats."""
    return {
        "body": body,
        "body_sha256": hashlib.sha256(body.encode()).hexdigest(),
        "key_expires_at": now + key_life,
    }


def key_lives(key_expires_at: datetime | None, *, now: datetime) -> bool:
    """Whether the vendor still knows the key, so that sending again is the same payment."""
    return key_expires_at is not None and now + _MARGIN < key_expires_at


def as_unknown(answer: Answer) -> Answer:
    """A refusal that says nothing about the payment: of a repeated request, or of a search."""
    if answer.outcome != Outcome.REFUSED:
        return answer
    return Answer(outcome=Outcome.UNKNOWN, code=answer.code, message=answer.message)


def words(answer: Answer) -> str:
    """The rail's own words."""
    return ": ".join(filter(None, (answer.code, answer.message)))


def forgotten(noun: str, *, done: str = "made") -> str:
    """What a person is told about what the rail neither has nor would know again."""
    return (
        f"The rail shows no such {noun}, and has forgotten its key. Look into the rail's own "
        f"console, then say here whether it was {done}."
    )


def next_ask(asks: int, *, now: datetime) -> datetime:
    """When the rail is asked next about what is under way, after it was asked so often."""
    return now + min(timedelta(seconds=_ASK_FIRST_SECONDS << min(asks, 20)), ASK_LAST)


def next_look_back(since: datetime | None, *, lasts: timedelta, now: datetime) -> datetime | None:
    """When the rail is asked again, once a day, about what was made: it can come back for a while.
    `since`: when it was made; None: never again."""
    later = now + timedelta(days=1)
    return None if since and later > since + lasts else later
