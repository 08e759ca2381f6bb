"""The books at work: transactions that lock first, and windows that follow the calendar.

Nothing here is called from outside the app. Every service that changes allocations or windows is
an `in_books` function: it locks, looks, and when a window's period is over it stops, the next
window is opened in a transaction of its own, and the service runs again.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.db import transaction

from common.statements import RowT, Statement, fetch, fetch_together
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
        super().__init__(f"windows are over at {at}")
        self.scopes, self.at = list(scopes), at


class LaterWindow(Exception):
    """Another process was first to see the new period, which begins at `at`: run again then."""

    def __init__(self, at: datetime) -> None:
        super().__init__(f"a window begins at {at}")
        self.at = at


class Books(NamedTuple):
    """What a service holds locked, and the moment that counts for it.

    `at` is `now`, or the start of the newest locked window when another process was first to see
    the new period: what is written at `at` falls into the windows that are locked.
    """

    windows: list[LockedRow]
    at: datetime


def in_books(service: Callable[P, R]) -> Callable[P, R]:
    """Run the service in one transaction of its own; repeat it when windows had to be opened, or
    when it has to see the moment that others see (its `now`)."""

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
    return _books_of(fetch_together(*_locking(allocations, scopes, now))[1], now)


def fetch_under_lock(
    statement: Statement[RowT],
    parameters: dict[str, Any],
    *,
    allocations: Iterable[int],
    scopes: Iterable[str],
    now: datetime,
) -> list[RowT]:
    """Lock as `lock` does and run a statement as of `now` under it, in one round trip; its rows.

    Raises OverWindows or LaterWindow when it must not have run: the transaction is then undone.
    """
    _, found, answer = fetch_together(*_locking(allocations, scopes, now), (statement, parameters))
    if (at := _books_of(found, now).at) != now:
        raise LaterWindow(at)
    return answer


def _locking(
    allocations: Iterable[int], scopes: Iterable[str], now: datetime
) -> list[tuple[Statement[Any], dict[str, Any]]]:
    which = {"allocations": list(allocations), "scopes": list(scopes), "now": now}
    return [
        (sql.JOIN, {"books_lock": sql.BOOKS_LOCK}),
        (sql.LOCK, which),
    ]


def _books_of(found: list[LockedRow], now: datetime) -> Books:
    at = found[0].later or now
    if over := {row.scope for row in found if row.over}:
        raise OverWindows(over, at)
    return Books([row for row in found if row.id], at)


def close(
    allocations: Iterable[int], *, status: str, reason: str, actor: Actor, at: datetime
) -> int:
    """Close active allocations, under `lock`; how many were."""
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
    """Add (tokens, USD) to what each scope's windows have committed, under `lock`."""
    fetch(
        sql.MOVE,
        scope=list(moves),
        tokens=[tokens for tokens, _ in moves.values()],
        cost=[cost for _, cost in moves.values()],
    )
