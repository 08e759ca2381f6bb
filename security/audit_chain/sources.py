"""The registry of what is sealed: tables of any app, row by row.

Each app lists its sources in a module `audit_sources`, which is imported at start:

    sources.register(Source(slug="adjustment", model=Adjustment))

The model queues its rows with `security.audit_chain.triggers.queue_for_sealing`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.db.models import (
    BigIntegerField,
    BinaryField,
    DateField,
    DateTimeField,
    DecimalField,
    F,
    Field,
    Func,
    Model,
    Q,
    TextField,
    UUIDField,
    Value,
)
from django.db.models.functions import Cast, NullIf

# Sorted names, no spaces, text as it is: RFC 8785, but numbers keep the digits that Python writes.
_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


class _Microseconds(Func):
    template = "(EXTRACT(EPOCH FROM %(expressions)s) * 1000000)::bigint"
    output_field = BigIntegerField()


class _Hex(Func):
    template = "encode(%(expressions)s, 'hex')"
    output_field = TextField()


@dataclass(frozen=True, kw_only=True)
class Source:
    """Rows of `model` that fulfil `condition`; each must be sealed. The model's id is an integer.

    Columns in `without` may change after a row was sealed. A column that is added to the model
    later must be null or empty in the rows that exist: then their encoding stays as it was.
    If a row may change once after it was sealed, `later` is the source that seals it again.
    `deleted` tells which of some rows were deleted by the rules of the app, which has that sealed.
    """

    slug: str
    model: type[Model]
    condition: Q = field(default_factory=Q)
    without: frozenset[str] = frozenset()
    later: str = ""
    deleted: Callable[[Iterable[int]], set[int]] = lambda row_ids: set()

    @property
    def columns(self) -> "list[Field[Any, Any]]":
        """The columns that are sealed."""
        columns = self.model._meta.concrete_fields
        return [column for column in columns if column.name not in self.without]

    def contents(self, row_ids: Iterable[int]) -> dict[int, bytes]:
        """The canonical encoding of those of these rows that exist, by id.

        A JSON object with one member, which is named after the source and has the columns of the
        row: times in microseconds, days as in ISO 8601, money as text with all its places, bytes in
        hex. Columns that are null are left out, and of those that cannot be null the ones that are
        empty or zero.
        """
        columns = self.columns
        names = [column.attname for column in columns]
        nullable = {column.attname for column in columns if column.null}
        # Without the default order, and past any manager that hides rows.
        rows = self.model._base_manager.filter(pk__in=row_ids).order_by()
        return {
            row[0]: _encode(self.slug, _present(names, row[1:], nullable))
            for row in rows.values_list("pk", *map(_value, columns))
        }

    def content_of_none(self, row_id: int) -> bytes:
        """The encoding of a row that was gone when the sealer came to it."""
        return _encode(self.slug, {"id": row_id})


_sources: dict[str, Source] = {}


def register(source: Source) -> Source:
    """Add a source to the registry. Raises ValueError when its slug is taken."""
    if source.slug in _sources:
        raise ValueError(f"Two sources of the audit chain have the slug {source.slug!r}.")
    _sources[source.slug] = source
    return source


def all_sources() -> Mapping[str, Source]:
    """Every registered source by its slug."""
    return MappingProxyType(_sources)


def _encode(slug: str, values: dict[str, Any]) -> bytes:
    return _ENCODE({slug: values}).encode()


def _present(names: list[str], values: tuple[Any, ...], nullable: set[str]) -> dict[str, Any]:
    return {
        name: value
        for name, value in zip(names, values, strict=True)
        if value or (value is not None and name in nullable)
    }


def _value(column: "Field[Any, Any]") -> Any:
    """The column as JSON has it, computed by PostgreSQL."""
    if isinstance(column, DateTimeField):
        return _Microseconds(F(column.attname))
    if isinstance(column, DecimalField):
        exact = F(column.attname) if column.null else NullIf(F(column.attname), Value(0))
        return Cast(exact, TextField())
    if isinstance(column, BinaryField):
        return _Hex(F(column.attname))
    if isinstance(column, UUIDField | DateField):
        return Cast(F(column.attname), TextField())
    return F(column.attname)
