"""End what is open of a part of the tree, or refuse because of it."""

from datetime import datetime
from enum import StrEnum

from keys.books import transactions
from keys.books.queries import open_work
from keys.books.queries.open_work import Part, open_sessions
from keys.models import Allocation
from keys.refusals import WorkIsOpen
from security.actor import Actor

_BATCH = 500


class OpenWorkRule(StrEnum):
    """What happens to open sessions and tasks of what is moved or closed."""

    REFUSE = "refuse"
    END = "end"


def end_work(part: Part, *, reason: str, actor: Actor, now: datetime) -> None:
    """End all tasks and sessions of the part, in transactions of their own.

    Calls in flight go on: they are paid where they were started. What begins in the meantime is
    ended by `clear`.
    """
    for source in open_work.sources:
        for work in source.find(part):
            source.end(work, reason=reason, actor=actor, now=now)
    while batch := list(open_sessions(part).values_list("pk", flat=True)[:_BATCH]):
        _close(batch, reason=reason, actor=actor, now=now)


@transactions.in_books
def _close(batch: list[int], *, reason: str, actor: Actor, now: datetime) -> None:
    at = transactions.lock(allocations=batch, now=now).at
    transactions.close(batch, status=Allocation.Status.FAILED, reason=reason, actor=actor, at=at)


def clear(part: Part, *, rule: OpenWorkRule, reason: str, actor: Actor, now: datetime) -> datetime:
    """See to it that nothing of the part is open; returns the moment at which the books are locked.

    Joins the transaction of an `in_books` service that has called `take_books_alone`: nothing can
    be lent until it ends. Refusals: WorkIsOpen.
    """
    found = open_work.open_work(part)
    if rule == OpenWorkRule.REFUSE and found:
        raise WorkIsOpen(
            sessions=found.sessions,
            tokens=found.tokens,
            in_flight=found.in_flight,
            first=list(found.first),
            others=[f"{number} {noun}" for noun, number in found.others.items() if number],
        )
    sessions = list(open_sessions(part).values_list("pk", flat=True))
    at = transactions.lock(allocations=sessions, now=now).at
    if sessions:
        transactions.close(
            sessions, status=Allocation.Status.FAILED, reason=reason, actor=actor, at=at
        )
    return at
