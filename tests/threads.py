"""Two connections in an order that a race would only meet by luck."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection, transaction

from keys import services as keys
from tests.actors import ACTOR
from tests.moments import NOON

_WAITING = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def overtaken(*, first: Callable[[], Any], then: Callable[[], Any]) -> Any:
    """Call `first` and do not commit; call `then` in a thread until it waits for a lock or is done;
    commit `first`. Returns what `then` returned, raises what it raised.

    A durable service as `first` is passed without its transaction: `service.__wrapped__`.
    """
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            first()
            future = threads.submit(run_and_close, then)
            wait_until(lambda: future.done() or is_waiting())
        return future.result(timeout=60)


def limited(subject, amount, *, now=NOON):
    """Set a limit of tokens per day in the caller's transaction, as a `first`."""
    terms = keys.Terms(unit="tokens", period="day", amount=amount)
    return keys.set_limit.__wrapped__(subject, terms=terms, reason="test", actor=ACTOR, now=now)


def wait_until(holds: Callable[[], bool], *, seconds: float = 20) -> None:
    """Ask every few milliseconds; AssertionError when it does not come true."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def refused(answers: list[Any], *refusals: type[Exception]) -> int:
    """How many answers of `at_once` are one of these refusals; any other exception is raised."""
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, refusals):
            raise answer
    return sum(isinstance(answer, refusals) for answer in answers)


def run_and_close(work: Callable[[], Any]) -> Any:
    """Call `work` in a thread, and close the connection that it opened there."""
    try:
        return work()
    finally:
        connection.close()


def is_waiting() -> bool:
    """Whether a connection waits for a lock."""
    with connection.cursor() as cursor:
        # Within a transaction PostgreSQL would show the same moment again and again.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(_WAITING)
        return cursor.fetchone()[0] > 0
