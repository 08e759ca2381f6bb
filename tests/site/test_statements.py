"""The rows of SQL are what their types say: the same names in the same order, of the same types."""

from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest
from django.db import connection, transaction
from psycopg import Cursor

from tests.site.statements import parameters_of, statements

ROOT = Path(__file__).resolve().parents[2]
STATEMENTS = statements(ROOT)
_TYPES = {
    "bool": "bool",
    "bytea": "bytes",
    "int2": "int",
    "int4": "int",
    "int8": "int",
    "numeric": "Decimal",
    "text": "str",
    "varchar": "str",
    "timestamptz": "datetime",
}


def test_statements_are_found():
    assert "keys.books.sql.hold.HOLD" in STATEMENTS
    assert "keys.identity.queries.credentials.BEARER" in STATEMENTS
    assert "orchestration.sql.claim.TAKE_OVER" in STATEMENTS


@pytest.mark.django_db
@pytest.mark.parametrize("name", STATEMENTS)
def test_a_row_has_the_fields_that_its_statement_answers(name):
    row, columns = STATEMENTS[name].row, columns_of(name)
    if not row._fields:
        return
    assert tuple(column.name for column in columns) == row._fields
    # Rows of a model have no hints: their fields are the model's.
    hints = get_type_hints(row)
    for column in columns if hints else ():
        known = type_name(column)
        assert known is None or known in names_of(hints[column.name]), column.name


def columns_of(name):
    """`cursor.description` of a statement that runs without matching rows."""
    with transaction.atomic(), Cursor(connection.connection) as cursor:
        cursor.execute(STATEMENTS[name].text, parameters_of(name), prepare=True)
        transaction.set_rollback(True)
        return cursor.description or []


def type_name(column):
    """What psycopg makes of a column's values; None where this test does not know."""
    if column.type_display.endswith("[]"):
        return "list"
    return _TYPES.get(column.type_display.partition("(")[0])


def names_of(hint):
    """The names of the types in a hint: `int | None` is int and NoneType."""
    parts = get_args(hint) if get_origin(hint) is not list and get_args(hint) else (hint,)
    return {(get_origin(part) or part).__name__ for part in parts}
