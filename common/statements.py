"""SQL statements as typed objects, prepared once per connection, several in one round trip."""

import re
from collections import namedtuple
from collections.abc import Collection, Generator
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Model
from psycopg import Connection, RawCursor

_COMMENT = re.compile(r"--[^\n]*")
_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")


RowT = TypeVar("RowT", bound=NamedTuple)
ModelT = TypeVar("ModelT", bound=Model)
ResultT = TypeVar("ResultT")


class NoRow(NamedTuple):
    """The row of a statement whose output, if it has any, is not read."""


@dataclass(frozen=True, slots=True, init=False)
class Statement(Generic[RowT]):
    """SQL with named parameters (psycopg style), and the NamedTuple that each row becomes.

    The fields of `row` are the names of the output columns, in their order: rows are made by
    position, and a test compares the names. `text` is without comments and on one line. `query` is
    the same as PostgreSQL takes it, with numbers for the names of `parameters`: psycopg parses a
    text of over 4,096 characters again for each call, which takes 0.2 ms and more.
    """

    text: str
    row: type[RowT]
    query: bytes
    parameters: tuple[str, ...]

    def __init__(self, text: str, row: type[RowT]) -> None:
        # It is frozen.
        text = " ".join(_COMMENT.sub("", text).split())
        names = tuple(dict.fromkeys(filter(None, _PLACEHOLDER.findall(text))))
        query = _PLACEHOLDER.sub(
            lambda found: f"${names.index(found[1]) + 1}" if found[1] else "%", text
        )
        for name, value in {
            "text": text,
            "row": row,
            "query": query.encode(),
            "parameters": names,
        }.items():
            object.__setattr__(self, name, value)


# A statement with its parameters.
Step = tuple[Statement[Any], dict[str, Any]]
# Work on the database that waits for nothing else: it yields statements that run together, as
# `fetch_together` does, gets the rows of each or the error, and returns its result. So it is
# written once, for threads (`run`) and for event loops (`common.loop_connections`).
Work = Generator[tuple[Step, ...], list[list[Any]], ResultT]


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
    with connection.wrap_database_errors, RawCursor(raw) as cursor:
        _execute(cursor, statement, parameters)
        return _rows(cursor, statement)


def fetch_unprepared(statement: Statement[RowT], **parameters: Any) -> list[RowT]:
    """Run a statement that is planned each time; all its rows.

    For statements whose best plan depends on their values or on how much their tables have grown.
    """
    with connection.cursor() as cursor:
        cursor.execute(statement.text, parameters)
        return _rows(cursor, statement)


def fetch_together(*steps: Step) -> list[list[Any]]:
    """Run statements one after the other in one round trip; the rows of each.

    Outside a transaction they are one: it commits in the same round trip, and an error of one
    statement undoes them all.
    """
    if len(steps) == 1:
        [(statement, parameters)] = steps
        return [fetch(statement, **parameters)]
    raw = _connected()
    with connection.wrap_database_errors:
        with raw.pipeline():
            cursors = [RawCursor(raw) for _ in steps]
            for cursor, (statement, parameters) in zip(cursors, steps, strict=True):
                _execute(cursor, statement, parameters)
        # Not in the block: there, the first look would flush, and the end of the block wait again.
        return [
            _rows(cursor, statement) for cursor, (statement, _) in zip(cursors, steps, strict=True)
        ]


def run(work: Work[ResultT]) -> ResultT:
    """The result of `work`, whose statements run on this thread's connection."""
    try:
        steps = next(work)
        while True:
            try:
                answer = fetch_together(*steps)
            except Exception as error:  # noqa: BLE001 - the work decides
                steps = work.throw(error)
            else:
                steps = work.send(answer)
    except StopIteration as end:
        result: ResultT = end.value
        return result


def _connected() -> Connection[Any]:
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    raw: Connection[Any] = connection.connection
    return raw


def _execute(cursor: RawCursor[Any], statement: Statement[Any], parameters: dict[str, Any]) -> None:
    values = [parameters[name] for name in statement.parameters]
    cursor.execute(statement.query, values, prepare=True)


def _rows(cursor: RawCursor[Any] | CursorWrapper, statement: Statement[RowT]) -> list[RowT]:
    if not statement.row._fields:
        return []
    # Not `cursor.description`: it makes an object of every column, each time.
    return list(map(statement.row._make, cursor.fetchall()))
