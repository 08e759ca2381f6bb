"""Pages by cursor: each starts after the last row of the previous one, so new rows move none."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from rest_framework import serializers

from api import field_texts as texts
from api.fields import Strict, component_name
from api.query_parameters import WrongParameter

LIMIT_MAX = 200
CURSOR_MAX = 1000
_WRONG_CURSOR = "This cursor does not belong to this list. Send the `next_cursor` of its last page."

T = TypeVar("T")


class PageQuery(Strict):
    """The query parameters that every list has."""

    limit = serializers.IntegerField(
        min_value=1, max_value=LIMIT_MAX, default=50, help_text="The number of rows on a page."
    )
    cursor = serializers.CharField(
        required=False,
        max_length=CURSOR_MAX,
        help_text="The `next_cursor` of the previous page. Without it, the first page is returned.",
    )


def cursor_value(cursor: str | None, kind: type[T]) -> T | None:
    """Return the value in a cursor that holds one. Raises WrongParameter."""
    values = cursor_values(cursor, kind)
    return values[0] if values else None


def cursor_values(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """Return the values in a cursor, as many and of the kinds given. Raises WrongParameter."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        parsed = [_READERS[kind](value) for kind, value in zip(kinds, values, strict=True)]
    except (ValueError, TypeError, RecursionError):
        raise WrongParameter({"cursor": [_WRONG_CURSOR]}) from None
    return tuple(parsed)


def _integer(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError
    return value


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.utcoffset() is None:
        raise ValueError
    return moment


def _string(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    value.encode("utf-8")
    return value


MOMENT_SOURCE_ID = (datetime, str, int)
_READERS: dict[type, Callable[[Any], Any]] = {int: _integer, datetime: _moment, str: _string}


def page(
    rows: Sequence[Any],
    *,
    limit: int,
    output: type[serializers.Serializer],
    at: Callable[[Any], tuple[Any, ...]],
) -> dict[str, Any]:
    """A page of the first `limit` of `rows`, which has one more when there is a next page.

    `at(row)`: the values that the cursor of a row holds.
    """
    page_rows = rows[:limit]
    has_next = len(rows) > limit
    return {
        "results": output(page_rows, many=True).data,
        "next_cursor": _cursor(at(page_rows[-1])) if has_next else None,
    }


def _cursor(values: tuple[Any, ...]) -> str:
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def page_serializer(output: type[serializers.Serializer]) -> type[serializers.Serializer]:
    """The serializer of a page of `output`, for the schema."""
    name = f"{component_name(output)}Page"
    fields = {
        "__doc__": "One page of a list.",
        "results": output(many=True, help_text="The rows of this page."),
        "next_cursor": serializers.CharField(allow_null=True, help_text=texts.PAGE_NEXT),
    }
    return type(name, (serializers.Serializer,), fields)
