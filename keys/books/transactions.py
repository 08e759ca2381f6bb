"""Transactions of the books: they lock first, and windows follow the calendar.

Only this app uses this module. Every service that changes allocations or windows is an `in_books`
function: it locks and then reads. If the period of a window has ended, the service stops, the next
window is opened in a transaction of its own, and the service runs again.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.db import transaction

from common.statements import RowT, Statement, Step, fetch, fetch_together
from keys.books import sql
from keys.books.sql.locks import LockedRow
from keys.limits.services.windows import open_windows
from security import audit
from security.actor import Actor

P = ParamSpec("P")
R = TypeVar("R")


class OverWindows(Exception):
    """Some windows of these scopes ended before `at`: open the next ones, then run again."""

    def __init__(self, scopes: Iterable[str], at: datetime) -> None:
        super().__init__(f"windows have ended at {at}")
        self.scopes, self.at = list(scopes), at


class LaterWindow(Exception):
    """Another process was first to see the new period, which begins at `at`: run again then."""

    def __init__(self, at: datetime) -> None:
        super().__init__(f"a window begins at {at}")
        self.at = at


class Books(NamedTuple):
    """The windows that a service has locked, and the moment at which it acts.

    `at` is `now`, or the start of the newest locked window if another process opened it a moment
    ahead of this clock. Rows written at `at` belong to the locked windows.
    """

    windows: list[LockedRow]
    at: datetime


def in_books(service: Callable[P, R]) -> Callable[P, R]:
    """Decorator: run the service in its own transaction, again when the next windows must be opened
    first or when its `now` must be the start of a window that another process opened."""

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        while True:
            try:
                with transaction.atomic(durable=True):
                    return service(*args, **kwargs)
            except OverWindows as over:
                open_windows(scopes=over.scopes, now=over.at)
            except LaterWindow as later:
                kwargs["now"] = later.at

    return run


def lock(*, allocations: Iterable[int], scopes: Iterable[str] = (), now: datetime) -> Books:
    """Lock allocations, then their open windows and those of `scopes`. Raises OverWindows."""
    return _books_of(fetch_together(*_lock_statements(allocations, scopes, now))[1], now)


def fetch_under_lock(
    statement: Statement[RowT],
    parameters: dict[str, Any],
    *,
    allocations: Iterable[int],
    scopes: Iterable[str],
    now: datetime,
) -> list[RowT]:
    """Lock as `lock` does and run a statement as of `now` under it, in one round trip;
    returns its rows.

    Raises OverWindows or LaterWindow if the statement ran too early or too late; the exception
    rolls the transaction back.
    """
    _, windows, answer = fetch_together(
        *under_lock(statement, parameters, allocations=allocations, scopes=scopes, now=now)
    )
    if (at := _books_of(windows, now).at) != now:
        raise LaterWindow(at)
    return answer


def under_lock(
    statement: Statement[Any],
    parameters: dict[str, Any],
    *,
    allocations: Iterable[int],
    scopes: Iterable[str],
    now: datetime,
) -> tuple[Step, ...]:
    """The statements that lock as `lock` does, and one that runs under it."""
    return (*_lock_statements(allocations, scopes, now), (statement, parameters))


def _lock_statements(
    allocations: Iterable[int], scopes: Iterable[str], now: datetime
) -> list[Step]:
    which = {"allocations": list(allocations), "scopes": list(scopes), "now": now}
    return [
        (sql.JOIN, {"books_lock": sql.BOOKS_LOCK}),
        (sql.LOCK, which),
    ]


def _books_of(rows: list[LockedRow], now: datetime) -> Books:
    at = rows[0].later or now
    if over := {row.scope for row in rows if row.over}:
        raise OverWindows(over, at)
    return Books([row for row in rows if row.id], at)


def close(
    allocations: Iterable[int], *, status: str, reason: str, actor: Actor, at: datetime
) -> int:
    """Close the active ones of these allocations, under `lock`; returns how many."""
    closed = fetch(
        sql.CLOSE,
        allocations=list(allocations),
        status=status,
        reason=reason[:300],
        **audit.sql_actor(actor),
        at=at,
    )
    return len(closed)


def move(moves: Mapping[str, tuple[int, Decimal]]) -> None:
    """Add (tokens, USD) to what the windows of each scope have committed, under `lock`."""
    fetch(
        sql.MOVE,
        scope=list(moves),
        tokens=[tokens for tokens, _ in moves.values()],
        cost=[cost for _, cost in moves.values()],
    )
