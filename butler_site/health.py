"""Answers for probes: is this process alive, and is it of use?

Both say only names, yes or no: they are open to everybody.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)

QUEUE_PROCESS = "butler qcluster"
WORKER_PROCESS = "butler work"
QUEUE_SILENCE_MAX = timedelta(seconds=90)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Alive: the process answers. Asks no database, so that its failure restarts no web process."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Of use: 200 if every check passes, else 503; each check by name, `ok` or `failed`.

    Task workers are only noted: where no tasks are submitted, none are needed.
    """
    checks = {
        "database_writable": _passes(database_writable),
        "migrations_applied": _passes(migrations_applied),
        "queue_alive": _passes(queue_alive),
    }
    ready = all(checks.values())
    body = {
        "status": "ok" if ready else "failed",
        "checks": {name: "ok" if passed else "failed" for name, passed in checks.items()},
        "notes": {"task_workers": "alive" if _passes(task_workers_alive) else "absent"},
    }
    return JsonResponse(body, status=200 if ready else 503)


def _passes(check: Callable[[], bool]) -> bool:
    """A database that is away fails the check; why is in the log, not in the answer."""
    try:
        return check()
    except Error as error:
        logger.warning("readyz: %s: %s", check.__name__, error)
        return False


def database_writable() -> bool:
    """Whether a transaction can be written to disk, not only begun.

    A standby and a full disk accept connections and reads. An empty message in the write-ahead log
    takes the way of every commit to the disk and leaves no row behind.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only')")
        if cursor.fetchone() == ("on",):
            return False
        cursor.execute("SELECT pg_logical_emit_message(true, 'butler', 'readyz')")
    return True


def migrations_applied() -> bool:
    """Whether the tables are as this version of the code expects them."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def queue_alive() -> bool:
    """Whether a django-q2 cluster, on any machine, has spoken to the database lately.

    Its pusher asks for work twice a second and its sentinel for schedules every 30 s.
    """
    return _speaks(QUEUE_PROCESS)


def task_workers_alive() -> bool:
    """Whether a process of `manage.py work` has: they look for work twice a second."""
    return _speaks(WORKER_PROCESS)


def _speaks(process: str) -> bool:
    """Whether a process of this name (`settings.PROCESS`) has used the database lately.

    The heartbeat is PostgreSQL's own list of connections, so nothing is written for it: a process
    that died is not in it any more, and one that hangs is idle in it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = %s AND state_change > clock_timestamp() - %s::interval",
            [process, str(QUEUE_SILENCE_MAX)],
        )
        [(alive,)] = cursor.fetchall()
        return bool(alive)
