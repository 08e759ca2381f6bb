"""Insert many rows with COPY, which takes a tenth of the time of an INSERT by the ORM."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import Field, Model
from django.db.models.expressions import DatabaseDefault


def copy_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows, each with the values of `columns`; others are the database's defaults.

    Triggers and constraints hold as for an INSERT (IntegrityError). Joins the caller's transaction.
    """
    names = ", ".join(f'"{column}"' for column in columns)
    statement = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN'
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def copy_new(rows: Sequence[Model]) -> None:
    """Insert new rows of one model, which get their ids in this order.

    The same columns of all rows are left to the database's defaults. Joins the caller's
    transaction.
    """
    if not rows:
        return
    model = type(rows[0])
    for row, pk in zip(rows, _reserved_ids(model, len(rows)), strict=True):
        row.pk = pk
    fields = {
        field.column: field
        for field in model._meta.concrete_fields
        if field.column and not _is_left_out(field, rows[0])
    }
    values = (
        [
            field.get_db_prep_save(getattr(row, field.attname), connection)
            for field in fields.values()
        ]
        for row in rows
    )
    copy_rows(model, list(fields), values)


def _is_left_out(field: "Field[Any, Any]", row: Model) -> bool:
    return field.generated or isinstance(getattr(row, field.attname), DatabaseDefault)


def _reserved_ids(model: type[Model], number: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [model._meta.db_table, model._meta.pk.column, number],
        )
        return [pk for (pk,) in cursor.fetchall()]
