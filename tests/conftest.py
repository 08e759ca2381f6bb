"""What every test may use."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Races go to one worker of pytest-xdist: two of them at once would share the connections."""
    for item in items:
        if item.path.stem.endswith("_races"):
            item.add_marker(pytest.mark.xdist_group("races"))


@pytest.fixture
def noon():
    """A fixed moment: never the day the test runs."""
    return NOON


@pytest.fixture
def at_once() -> Callable[..., list[Any]]:
    """`at_once(work, times=200)`: call `work(0) … work(199)` at the same moment, each in a thread
    with a database connection of its own; return what each returned or raised, in this order.

    Needs `@pytest.mark.django_db(transaction=True)`: other connections see only what is committed.
    """
    return _at_once


def _at_once(work: Callable[[int], Any], *, times: int) -> list[Any]:
    start = Barrier(times, timeout=60)

    def run(number: int) -> Any:
        try:
            connection.ensure_connection()
            start.wait()
            return work(number)
        except Exception as error:  # noqa: BLE001  the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(run, range(times)))
