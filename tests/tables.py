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


# Notes that a table of these was changed; afterwards, `restore` writes it again.
_NOTE_CHANGES = """
CREATE TABLE IF NOT EXISTS seeds.changed (name text);
CREATE OR REPLACE FUNCTION seeds.note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO seeds.changed VALUES (TG_TABLE_NAME); RETURN NULL; END $$
"""
_NOTE_CHANGES_OF = """
CREATE OR REPLACE TRIGGER seeds_note_change AFTER INSERT OR UPDATE OR DELETE ON public.{table}
FOR EACH STATEMENT EXECUTE FUNCTION seeds.note_change()
"""
_RESTORE = """
CREATE OR REPLACE FUNCTION seeds.restore_{table}() RETURNS void LANGUAGE plpgsql AS $$
BEGIN IF EXISTS (SELECT FROM seeds.changed WHERE name = '{table}') THEN
    DELETE FROM public.{table};
    INSERT INTO public.{table} SELECT * FROM seeds.{table};
    DELETE FROM seeds.changed WHERE name = '{table}';
END IF; END $$
"""


# Those of all tables that have rows, but for what `migrate` writes: planned once for all tests.
_FILLED = """
CREATE OR REPLACE FUNCTION seeds.filled_tables() RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN RETURN ARRAY({looks}); END $$
"""
_LOOK = "(SELECT '{table}' FROM public.{table} LIMIT 1)"
_EMPTY = """
CREATE OR REPLACE FUNCTION seeds.empty(tables text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE filled text; BEGIN
    FOREACH filled IN ARRAY seeds.filled_tables() LOOP
        IF filled = ANY(tables) THEN EXECUTE 'DELETE FROM public.' || filled; END IF;
    END LOOP;
END $$
"""


# Host and name of the databases that seeds are kept in.
_seeded: set[tuple[str, str]] = set()


def has_seeds() -> bool:
    """Whether this is a database of pytest-django; some tests have one of their own."""
    return _address() in _seeded


def _address() -> tuple[str, str]:
    return connection.settings_dict["HOST"], connection.settings_dict["NAME"]


def keep_seeds() -> None:
    """Keep what `migrate` has just written into the tables."""
    _seeded.add(_address())
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS seeds")
        cursor.execute(_NOTE_CHANGES)
        for table in _SEEDED:
            cursor.execute(f"CREATE TABLE IF NOT EXISTS seeds.{table} AS TABLE public.{table}")
            cursor.execute(_RESTORE.format(table=table))
            cursor.execute(_NOTE_CHANGES_OF.format(table=table))
        tables = connection.introspection.table_names(cursor)
        looks = (_LOOK.format(table=table) for table in tables if table not in _MIGRATED)
        cursor.execute(_FILLED.format(looks=" UNION ALL ".join(looks)))
        cursor.execute(_EMPTY)


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
        f"SELECT seeds.empty('{{{','.join(tables)}}}')",
        *(f"SELECT seeds.restore_{table}()" for table in _SEEDED if table in tables),
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
