"""Settings of connections that only hold and settle."""

import threading

from django.db import connection

from common.loop_connections import SET

# PostgreSQL's planner assumes the size that a table had when it was last analysed. So it would scan
# a table as a whole, or a whole index to join it, that is far larger by the time the plan is used:
# every join of these statements is best made row by row. It would also plan them five times before
# it keeps a plan.
SETTINGS_FOR_CALLS = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    # A process that is stopped after half of a batch was sent, or before it commits, holds nobody
    # up for longer: PostgreSQL ends its connection, and it tries again when it goes on. (The first
    # is of PostgreSQL 17 and newer.)
    "transaction_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
}
_planned = threading.local()


def plan_for_calls() -> None:
    """Make this thread's connection plan statements as `SETTINGS_FOR_CALLS` says.

    For threads that only hold and settle.
    """
    connection.ensure_connection()
    if getattr(_planned, "connection", None) is not connection.connection:
        with connection.cursor() as cursor:
            cursor.execute(SET, [list(SETTINGS_FOR_CALLS), list(SETTINGS_FOR_CALLS.values())])
        _planned.connection = connection.connection
