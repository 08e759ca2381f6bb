"""SQL statements as typed objects, prepared once per connection, several in one round trip."""

import re
from collections import namedtuple
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model
from psycopg import Connection, Cursor

_COMMENT = re.compile(r"--[^\n]*")


RowT = TypeVar("RowT", bound=NamedTuple)
ModelT = TypeVar("ModelT", bound=Model)


class NoRow(NamedTuple):
    """The row of a statement whose output, if it has any, is not read."""


@dataclass(frozen=True, slots=True, init=False)
class Statement(Generic[RowT]):
    """SQL with named parameters (psycopg style), and the NamedTuple that each row becomes.

    The fields of `row` are the names of the output columns, in their order: rows are made by
    position, and a test compares the names. `text` is without comments and on one line, because
    psycopg parses a text of over 4,096 characters again for each call.
    """

    text: str
    row: type[RowT]

    def __init__(self, text: str, row: type[RowT]) -> None:
        # It is frozen.
        object.__setattr__(self, "text", " ".join(_COMMENT.sub("", text).split()))
        object.__setattr__(self, "row", row)


def model_row(model: type[Model], *, without: Collection[str] = ()) -> type[NamedTuple]:
    """The type of rows with the columns of a model, for `instance`; JSON cannot be among them."""
    names = [field.attname for field in model._meta.concrete_fields if field.attname not in without]
    # The type checker knows no tuple whose names are computed.
    row: type[NamedTuple] = namedtuple(f"{model.__name__}Row", names)  # type: ignore[misc]
    return row


def instance(model: type[ModelT], row: NamedTuple) -> ModelT:
    """A row as a model instance, as a queryset's `only` makes it: other fields are read when they
    are asked for. A queryset takes ten times as long."""
    return model.from_db(DEFAULT_DB_ALIAS, row._fields, row)


def fetch(statement: Statement[RowT], **parameters: Any) -> list[RowT]:
    """Run a statement; all its rows."""
    raw = _connected()
    # Django's own cursors send the values inside the text, so that PostgreSQL plans these long
    # statements again each time; prepared, planning is paid once per connection.
    with connection.wrap_database_errors, Cursor(raw) as cursor:
        cursor.execute(statement.text, parameters, prepare=True)
        return _rows(cursor, statement)


def fetch_unprepared(statement: Statement[RowT], **parameters: Any) -> list[RowT]:
    """Run a statement that is planned each time; all its rows.

    For statements whose best plan depends on their values or on how much their tables have grown.
    """
    with connection.cursor() as cursor:
        cursor.execute(statement.text, parameters)
        return _rows(cursor, statement)


def fetch_together(*steps: tuple[Statement[Any], dict[str, Any]]) -> list[list[Any]]:
    """Run statements one after the other in one round trip; the rows of each."""
    raw = _connected()
    with connection.wrap_database_errors, raw.pipeline():
        cursors = [Cursor(raw) for _ in steps]
        for cursor, (statement, parameters) in zip(cursors, steps, strict=True):
            cursor.execute(statement.text, parameters, prepare=True)
        return [
            _rows(cursor, statement) for cursor, (statement, _) in zip(cursors, steps, strict=True)
        ]


def _connected() -> Connection[Any]:
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    raw: Connection[Any] = connection.connection
    return raw


def _rows(cursor: Cursor[Any] | CursorWrapper, statement: Statement[RowT]) -> list[RowT]:
    if not statement.row._fields:
        return []
    # Not `cursor.description`: it makes an object of every column, each time.
    return list(map(statement.row._make, cursor.fetchall()))
