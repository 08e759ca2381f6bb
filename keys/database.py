"""Run statements of the books: prepared once per connection, several in one round trip."""

import threading
from typing import Any

from django.db import connection
from psycopg import Cursor

_PLANNING = """
SELECT set_config(name, value, false)
  FROM (VALUES ('enable_seqscan', 'off'), ('jit', 'off'),
               ('plan_cache_mode', 'force_generic_plan')) AS settings(name, value)
"""
_planned = threading.local()


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
