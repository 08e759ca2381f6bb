"""Read pages of JSON."""

import json
from decimal import Decimal
from typing import Any

from common.file_text import UnreadableError, decoded


def parsed(content: bytes) -> Any:
    """A file in JSON; numbers are exact."""
    try:
        return json.loads(decoded(content), parse_float=Decimal)
    except (json.JSONDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"The file is no JSON: {error}.") from None


def buckets(content: bytes) -> list[Any]:
    """The `data` of a page, or of a list of pages."""
    pages = parsed(content)
    pages = pages if isinstance(pages, list) else [pages]
    found: list[Any] = []
    for number, page in enumerate(pages, 1):
        data = page.get("data") if isinstance(page, dict) else None
        if not isinstance(data, list):
            raise UnreadableError(f"Page {number} has no list named data.")
        found += data
    return found


def field(row: Any, name: str, where: str) -> Any:
    """A field that a row must have."""
    if not isinstance(row, dict) or name not in row:
        raise UnreadableError(f"{where}: the field {name} is missing.")
    return row[name]


def results(bucket: Any, where: str) -> list[Any]:
    """The rows of a bucket."""
    found = field(bucket, "results", where)
    if not isinstance(found, list):
        raise UnreadableError(f"{where}: results is no list.")
    return found
