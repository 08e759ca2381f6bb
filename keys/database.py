"""Planner settings of connections that only hold and settle."""

import threading

from django.db import connection

from common.statements import NoRow, Statement, fetch

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
}
SET = Statement(
    """
    SELECT set_config(name, value, false)
      FROM unnest(%(names)s::text[], %(values)s::text[]) AS settings(name, value)
    """,
    NoRow,
)
_planned = threading.local()


def plan_for_calls() -> None:
    """Make this thread's connection plan statements as `SETTINGS_FOR_CALLS` says.

    For threads that only hold and settle.
    """
    connection.ensure_connection()
    if getattr(_planned, "connection", None) is not connection.connection:
        fetch(SET, names=list(SETTINGS_FOR_CALLS), values=list(SETTINGS_FOR_CALLS.values()))
        _planned.connection = connection.connection
