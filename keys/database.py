"""How connections plan that do nothing but hold and settle."""

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
    """Have this thread's connection plan once, for few rows of large tables.

    For threads that do nothing but hold and settle. The planner takes a table for as small as it
    was when it was last analysed, and would read a growing one as a whole; and it would plan these
    long statements five times before it believes that one plan does.
    """
    connection.ensure_connection()
    if getattr(_planned, "connection", None) is not connection.connection:
        fetch(_PLANNING)
        _planned.connection = connection.connection
