"""The readiness probe: can this process serve requests? `/healthz`, whether it lives, is answered
on the event loop (`pages`).

It is public, so it answers with names of checks and their outcome only.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db import Error, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from security.audit_chain.tail import unsealed_tail

logger = logging.getLogger(__name__)

QUEUE_PROCESS = "butler qcluster"
WORKER_PROCESS = "butler work"
_MEGABYTE_OF_ROWS = (
    "SELECT count(*) FROM string_to_table(repeat(repeat('.', 1023) || ',', 1024), ',')"
)
QUEUE_SILENCE_MAX = timedelta(seconds=90)


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Readiness: 200 if every check passes, else 503; each check by name, `ok` or `failed`.

    Task workers are reported but do not decide: without tasks, none are needed. Nor does the audit
    chain: `unsealed_seconds` is how long the oldest row has waited to be sealed.
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
        "notes": {
            "task_workers": "alive" if _passes(task_workers_alive) else "absent",
            "unsealed_seconds": _unsealed_seconds(),
        },
    }
    return JsonResponse(body, status=200 if ready else 503)


def _passes(check: Callable[[], bool]) -> bool:
    """A database that is away fails the check; the reason is in the log, not in the response."""
    try:
        return check()
    except Error as error:
        logger.warning("readyz: %s: %s", check.__name__, error)
        return False


def _unsealed_seconds() -> int | None:
    """The age of the part of the audit that is not sealed yet; None if the database is away."""
    try:
        return int(unsealed_tail().age(timezone.now()).total_seconds())
    except Error:
        return None


def database_writable() -> bool:
    """Whether a transaction can be written to disk, and tables can grow.

    A standby and a full disk accept connections and reads. An empty message in the write-ahead log
    is written to disk like every commit and leaves no row behind. Files of that log are there
    before they are needed, so a full disk may still take it: a megabyte in a temporary file, which
    PostgreSQL makes of rows that do not fit into `work_mem`, needs the room that tables need.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only')")
        if cursor.fetchone() == ("on",):
            return False
        cursor.execute("SET LOCAL work_mem = '64kB'")
        cursor.execute(_MEGABYTE_OF_ROWS)
        cursor.execute("SELECT pg_logical_emit_message(true, 'butler', 'readyz')")
    return True


def migrations_applied() -> bool:
    """Whether all migrations of this version of the code are applied."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def queue_alive() -> bool:
    """Whether a django-q2 cluster, on any machine, has queried the database lately.

    Its pusher asks for work twice a second and its sentinel for schedules every 30 s.
    """
    return _uses_database(QUEUE_PROCESS)


def task_workers_alive() -> bool:
    """Whether a process of `manage.py work` has: each looks for work twice a second."""
    return _uses_database(WORKER_PROCESS)


def _uses_database(process: str) -> bool:
    """Whether a process of this name (`settings.PROCESS`) has used the database lately.

    PostgreSQL's own list of connections is the heartbeat, so none is written: a process that died
    is no longer in the list, and one that hangs is idle in it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = %s AND state_change > clock_timestamp() - %s::interval",
            [process, str(QUEUE_SILENCE_MAX)],
        )
        [(alive,)] = cursor.fetchall()
        return bool(alive)
