"""The books at work: transactions that lock first, and windows that follow the calendar.

Nothing here is called from outside the app. Every service that changes allocations or windows is
an `in_books` function: it locks, looks, and when a window's period is over it stops, the next
window is opened in a transaction of its own, and the service runs again.
"""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.db import connection, transaction
from django.db.models import QuerySet
from psycopg import Cursor

from keys import periods, statements
from keys.models import History, Limit, Window

_TURNED_AT_ONCE = 100
_PLANNING = """
SELECT set_config(name, value, false)
  FROM (VALUES ('enable_seqscan', 'off'), ('jit', 'off'),
               ('plan_cache_mode', 'force_generic_plan')) AS settings(name, value)
"""
_planned = threading.local()
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


class LockedWindow(NamedTuple):
    """An open window under our lock; `amount`, `used`, `committed` in its unit."""

    id: int
    scope: str
    unit: str
    amount: Decimal
    used: Decimal
    committed: Decimal


class Books(NamedTuple):
    """What a service holds locked, and the moment that counts for it.

    `at` is `now`, or the start of the newest locked window when another process was first to see
    the new period: what is written at `at` falls into the windows that are locked.
    """

    windows: list[LockedWindow]
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


def rows(statement: str, **parameters: Any) -> list[tuple]:
    """Run one statement; all its rows."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    # Django's own cursors send the values inside the text, so that PostgreSQL plans these long
    # statements anew each time; prepared, planning is paid once per connection.
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters, prepare=True)
        # Not `cursor.description`: it makes an object of every column, each time.
        return cursor.fetchall() if cursor.pgresult.nfields else []


def together(*steps: tuple[str, dict[str, Any]]) -> list[list[tuple]]:
    """Run statements one after the other in one round trip; the rows of each."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    raw = connection.connection
    with connection.wrap_database_errors, raw.pipeline():
        cursors = [Cursor(raw) for _ in steps]
        for cursor, (statement, parameters) in zip(cursors, steps, strict=True):
            cursor.execute(statement, parameters, prepare=True)
        return [cursor.fetchall() for cursor in cursors]


def plan_for_calls() -> None:
    """Have this thread's connection plan once, for few rows of large tables.

    For threads that do nothing but hold and settle. The planner takes a table for as small as it
    was when it was last analysed, and would read a growing one as a whole; and it would plan these
    long statements five times before it believes that one plan does.
    """
    connection.ensure_connection()
    if getattr(_planned, "connection", None) is not connection.connection:
        rows(_PLANNING)
        _planned.connection = connection.connection


def lock(*, allocations: Iterable[int], scopes: Iterable[str] = (), now: datetime) -> Books:
    """Lock allocations, then their open windows and those of `scopes`. Raises OverWindows."""
    return _locked(together(*_locking(allocations, scopes, now))[1], now)


def locked_rows(
    statement: str,
    parameters: dict[str, Any],
    *,
    allocations: Iterable[int],
    scopes: Iterable[str],
    now: datetime,
) -> list[tuple]:
    """Lock as `lock` does and run a statement as of `now` under it, in one round trip; its rows.

    Raises OverWindows or LaterWindow when it must not have run: the transaction is then undone.
    """
    _, found, answer = together(*_locking(allocations, scopes, now), (statement, parameters))
    if (at := _locked(found, now).at) != now:
        raise LaterWindow(at)
    return answer


def _locking(
    allocations: Iterable[int], scopes: Iterable[str], now: datetime
) -> list[tuple[str, dict[str, Any]]]:
    which = {"allocations": list(allocations), "scopes": list(scopes), "now": now}
    return [
        (statements.JOIN, {"books_lock": statements.BOOKS_LOCK}),
        (statements.LOCK, which),
    ]


def _locked(found: list[tuple], now: datetime) -> Books:
    at = found[0][-1] or now
    if over := {row[1] for row in found if row[-2]}:
        raise OverWindows(over, at)
    return Books([LockedWindow(*row[:-2]) for row in found if row[0]], at)


def close(allocations: Iterable[int], *, status: str, reason: str, who: str, at: datetime) -> int:
    """Close active allocations, under `lock`; how many were."""
    closed = rows(
        statements.CLOSE,
        allocations=list(allocations),
        status=status,
        reason=reason[:300],
        who=who,
        at=at,
    )
    return len(closed)


def move(moves: dict[str, tuple[int, Decimal]]) -> None:
    """Add (tokens, USD) to what each scope's windows have committed, under `lock`."""
    rows(
        statements.MOVE,
        scope=list(moves),
        tokens=[tokens for tokens, _ in moves.values()],
        cost=[cost for _, cost in moves.values()],
    )


def open_windows(*, scopes: Iterable[str] | None = None, now: datetime) -> int:
    """Open the next window of every limit whose open one is over; how many. Twice is once.

    What open allocations still have moves over; the closed window keeps what was used in it.
    """
    over = Window.objects.filter(closed_at=None, ends_at__lte=now)
    if scopes is not None:
        over = over.filter(scope__in=scopes)
    opened = 0
    # In batches, because nobody else commits or settles meanwhile.
    while batch := list(over.order_by("pk").values_list("pk", flat=True)[:_TURNED_AT_ONCE]):
        opened += _open(batch, now=now)
    return opened


@transaction.atomic(durable=True)
def _open(windows: list[int], *, now: datetime) -> int:
    take_books_alone()
    return turn(Window.objects.filter(pk__in=windows), now=now)


def turn(windows: QuerySet[Window], *, now: datetime) -> int:
    """Open the next of those windows that are over; how many.

    Joins the caller's transaction, which has called `take_books_alone`.
    """
    over = windows.filter(closed_at=None, ends_at__lte=now).select_related("limit").order_by("pk")
    return len([_follow(window, now=now) for window in over])


def _follow(window: Window, *, now: datetime) -> Window:
    committed, limit = window.committed, window.limit
    window.committed, window.closed_at = 0, now
    window.save(update_fields=["committed", "closed_at"])
    starts_at, ends_at = period_of(limit, at=now)
    following = Window.objects.create(
        limit=limit,
        scope=limit.scope,
        unit=limit.unit,
        starts_at=starts_at,
        ends_at=ends_at,
        amount=limit.amount,
        committed=committed,
    )
    History.objects.create(
        kind=History.Kind.RESET,
        at=now,
        scope=limit.scope,
        who="calendar",
        why=f"{limit.period} of {limit.unit} is over",
        before={"used": str(window.used), "amount": str(window.amount)},
        after={"starts_at": starts_at.isoformat(), "committed": str(committed)},
    )
    return following


def first_window(limit: Limit, *, now: datetime) -> Window:
    """Open a limit's first window with what was used and is committed already.

    Joins the caller's transaction, which has called `take_books_alone`.
    """
    committed = {scope: row for scope, *row in rows(statements.COMMITTED)}.get(limit.scope, (0, 0))
    return Window.objects.create(
        limit=limit,
        scope=limit.scope,
        unit=limit.unit,
        amount=limit.amount,
        committed=committed[_column(limit)],
        **_counted(limit, now=now),
    )


def recount_window(limit: Limit, *, now: datetime) -> None:
    """Give a limit's open window the bounds of its new calendar and what was used within them.

    It stays open: closed early, it would end at a moment at which others may still settle.
    Joins the caller's transaction, which has called `take_books_alone`.
    """
    limit.windows.filter(closed_at=None).update(amount=limit.amount, **_counted(limit, now=now))


def _counted(limit: Limit, *, now: datetime) -> dict[str, object]:
    starts_at, ends_at = period_of(limit, at=now)
    used = rows(statements.USED, scope=limit.scope, starts_at=starts_at, ends_at=ends_at)[0]
    return {"starts_at": starts_at, "ends_at": ends_at, "used": used[_column(limit)]}


def _column(limit: Limit) -> int:
    """Where its unit stands in (tokens, USD)."""
    return 0 if limit.unit == "tokens" else 1


def period_of(limit: Limit, *, at: datetime) -> tuple[datetime, datetime]:
    """`[starts_at, ends_at)` in UTC of the limit's period that contains `at`."""
    return periods.bounds(period=limit.period, at=at, zone=limit.zone, reset_hour=limit.reset_hour)


def take_books_alone() -> None:
    """Wait for everybody who commits, and let nobody commit, until the end of the transaction."""
    rows("SELECT pg_advisory_xact_lock(%(key)s)", key=statements.BOOKS_LOCK)
