"""What every test may use."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management.commands import flush
from django.db import DatabaseError, connection
from django.db.backends.postgresql.operations import DatabaseOperations
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from tests.database_template import template_database
from tests.gateway.sandbox import RunningSandbox, running_sandbox
from tests.keys.builders import make_people
from tests.moments import NOON
from tests.tables import beside_others, delete_all, keep_seeds

# On a busy machine nothing says how long an example takes.
settings.register_profile(
    "butler", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("butler")

# What `migrate` writes and no test changes.
KEPT_TABLES = {"django_content_type", "auth_permission"}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, django_db_blocker: Any
) -> None:
    """Test databases are copies of a migrated one; on a server of others nothing is left behind."""
    if not os.environ.get("DATABASE_URL"):
        with django_db_blocker.unblock():
            connection.settings_dict["TEST"]["TEMPLATE"] = template_database()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The database of pytest-django, with what `migrate` has written kept aside.

    A commit does not wait for the disk: what a test loses when the machine stops is not missed.
    Tests that kill PostgreSQL do so with one of their own.
    """
    with django_db_blocker.unblock():
        keep_seeds()
        with connection.cursor() as cursor:
            name = connection.settings_dict["NAME"]
            cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        connection.close()


@pytest.fixture(autouse=True, scope="session")
def quick_flush() -> Iterator[None]:
    """Empty tables after a test that commits by DELETE, not by TRUNCATE, which makes new files for
    each of a hundred tables and indexes; and keep what Django would only write again.
    """
    flushed = DatabaseOperations.execute_sql_flush

    def execute(operations: DatabaseOperations, statements: list[str]) -> None:
        beside_others(lambda: flushed(operations, statements))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", _deletes)
        patch.setattr(DatabaseOperations, "execute_sql_flush", execute)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *args, **options: None)
        yield


def _deletes(operations, style, tables, **options) -> list[str]:
    return delete_all(table for table in tables if table not in KEPT_TABLES)


@pytest.fixture(autouse=True, scope="session")
def kept_connection() -> Iterator[None]:
    """Tests that commit go on with the connection of the one before: Django opens a new one each
    time, to which PostgreSQL then reads all tables again that it had known."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            TransactionTestCase, "_should_reload_connections", lambda _: not _made_clean()
        )
        yield


def _made_clean() -> bool:
    """Whether the connection is as a new one would be."""
    if connection.connection is None or connection.in_atomic_block:
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute("RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all()")
        connection.init_connection_state()
    except DatabaseError:
        return False
    return True


@pytest.fixture(autouse=True, scope="session")
def static_files_found_once() -> Iterator[None]:
    """Each client of a test would look for all static files again, which takes a twentieth of the
    time of a page's test."""
    found: dict[str, StaticFile] = {}
    find = WhiteNoiseMiddleware.add_files_from_finders

    def add(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            find(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", add)
        yield


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """A job in the background of a shell ignores SIGINT, and so would all that tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def quick_passwords() -> Iterator[None]:
    """Hash passwords in one round: a quarter of a second for each person of a test otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Races go to one worker of pytest-xdist: two of them at once would share the connections."""
    for item in items:
        if item.path.stem.endswith("_races"):
            item.add_marker(pytest.mark.xdist_group("races"))


@pytest.fixture(scope="session")
def process() -> Iterator[RunningSandbox]:
    """The sandbox provider as a process."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(process: RunningSandbox) -> RunningSandbox:
    """The sandbox provider, with nothing remembered of other tests."""
    process.clear()
    return process


@pytest.fixture
def people(db):
    """`ada` spends, `bob` is of her cost centre, `carol` is a stranger."""
    make_people()


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
