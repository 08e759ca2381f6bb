"""Planner settings of connections that only hold and settle."""

import threading

from django.db import connection

from common.statements import NoRow, Statement, fetch

_PLANNING = Statement(
    """
    SELECT set_config(name, value, false)
      FROM (VALUES ('enable_seqscan', 'off'), ('jit', 'off'),
                   ('plan_cache_mode', 'force_generic_plan')) AS settings(name, value)
    """,
    NoRow,
)
_planned = threading.local()


def plan_for_calls() -> None:
    """Make this thread's connection plan statements once, for few rows of large tables.

    For threads that only hold and settle. PostgreSQL's planner assumes the size that a table had
    when it was last analysed, so it would scan a growing table as a whole. It would also plan these
    long statements five times before it keeps a plan.
    """
    connection.ensure_connection()
    if getattr(_planned, "connection", None) is not connection.connection:
        fetch(_PLANNING)
        _planned.connection = connection.connection
