"""The tables of the test database, emptied quickly: TRUNCATE makes new files for every table and
index, DELETE does not."""

from collections.abc import Callable, Iterable

from django.db import OperationalError, connection, transaction

# Without the partitions of charges: DELETE FROM keys_charge empties them.
_TABLES = """
SELECT relname FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
   AND relname ~ '^(keys|gateway|reports|orchestration|alerts|security|django_q)_'
   AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = pg_class.oid)
"""
_DEADLOCK = "40P01"


# What `migrate` writes and tests change: it is there again after each test.
_SEEDED = ("security_approvalpolicy", "auth_group", "auth_group_permissions")


_MIGRATED = {*_SEEDED, "django_migrations", "django_content_type", "auth_permission"}

# Partitions of charges are tables that tests make.
_DROP_PARTITIONS = """
DO $$ DECLARE partition regclass; BEGIN
    FOR partition IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'keys_charge'::regclass
    LOOP EXECUTE 'DROP TABLE ' || partition; END LOOP;
END $$
"""


# Looks whether a table has rows, and empties it if so. Its plans are kept for all tests, unlike
# those of a statement for each of 140 tables.
_DELETE = """
CREATE OR REPLACE FUNCTION seeds.empty_{table}() RETURNS void LANGUAGE plpgsql AS $$
BEGIN IF EXISTS (SELECT FROM public.{table}) THEN DELETE FROM public.{table}; END IF; END $$
"""


# Those of all tables that have rows, but for what `migrate` writes.
_FILLED = """
CREATE OR REPLACE FUNCTION seeds.filled_tables() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE filled text[] := '{{}}';
BEGIN {looks} RETURN filled; END $$
"""
_LOOK = (
    "IF EXISTS (SELECT FROM public.{table}) THEN filled := array_append(filled, '{table}'); END IF;"
)


def keep_seeds() -> None:
    """Keep what `migrate` has just written into the tables."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS seeds")
        for table in _SEEDED:
            cursor.execute(f"CREATE TABLE IF NOT EXISTS seeds.{table} AS TABLE public.{table}")
        tables = connection.introspection.table_names(cursor)
        for table in tables:
            cursor.execute(_DELETE.format(table=table))
        looks = "\n".join(_LOOK.format(table=table) for table in tables if table not in _MIGRATED)
        cursor.execute(_FILLED.format(looks=looks))


def filled_tables() -> list[str]:
    """The tables that have rows, but for those that `migrate` writes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT seeds.filled_tables()")
        return cursor.fetchone()[0]


def delete_all(tables: Iterable[str]) -> list[str]:
    """Statements that empty these tables but for the seeds, in one transaction."""
    tables = list(tables)
    return [
        # Neither foreign keys nor triggers that keep rows are asked.
        "SET LOCAL session_replication_role = replica",
        f"SELECT {', '.join(f'seeds.empty_{table}()' for table in tables)}",
        *(
            f"INSERT INTO public.{table} SELECT * FROM seeds.{table}"  # noqa: S608 - as above
            for table in _SEEDED
            if table in tables
        ),
        _DROP_PARTITIONS,
    ]


def empty_tables() -> None:
    """Forget everything. Numbers go on, because prices are kept in memory by number."""
    beside_others(_empty_tables)


def _empty_tables() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TABLES)
        for statement in delete_all([table for (table,) in cursor.fetchall()]):
            cursor.execute(statement)


def beside_others(empty: Callable[[], None], *, times_max: int = 10) -> None:
    """Call `empty`, again if it was chosen to end a deadlock: processes that a test started may
    still write, and take the same rows in an order of their own."""
    for _ in range(times_max - 1):
        try:
            return empty()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) != _DEADLOCK:
                raise
    return empty()
