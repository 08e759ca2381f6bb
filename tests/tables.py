"""The tables of the test database, emptied quickly: TRUNCATE makes new files for every table and
index, DELETE does not."""

from collections.abc import Iterable

from django.db import connection, transaction

_TABLES = """
SELECT tablename FROM pg_tables
 WHERE schemaname = 'public'
   AND tablename ~ '^(keys|gateway|orchestration|alerts|security|django_q)_'
"""


def delete_all(tables: Iterable[str]) -> list[str]:
    """Statements that empty these tables, in one transaction."""
    quote = connection.ops.quote_name
    return [
        # Neither foreign keys nor triggers that keep rows are asked.
        "SET LOCAL session_replication_role = replica",
        *(f"DELETE FROM {quote(table)}" for table in tables),  # noqa: S608 - names of tables
    ]


def empty_tables() -> None:
    """Forget everything. Numbers go on, because prices are kept in memory by number."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TABLES)
        for statement in delete_all([table for (table,) in cursor.fetchall()]):
            cursor.execute(statement)
