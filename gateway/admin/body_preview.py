"""Bodies for people to read: JSON indented, anything else as it is, never more than a page.

Agents and providers write these bodies: nothing in them may make the page fail, grow or mislead.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

PREVIEW_MAX = 200_000
# Beyond this a body is not read as JSON: most of it would be cut anyway.
_JSON_MAX = 2_000_000


class Preview(NamedTuple):
    """Text for a page. `cut`: it is only the beginning of the body."""

    text: str
    cut: bool


def preview(raw: bytes) -> Preview:
    """`raw` as text; bytes that are not UTF-8 are marked."""
    text = _indent(raw) or raw[: 4 * PREVIEW_MAX].decode(errors="replace")
    cut = len(text) > PREVIEW_MAX or len(raw) > 4 * PREVIEW_MAX
    # JSON can contain halves of characters, which no page can contain.
    return Preview(text[:PREVIEW_MAX].encode(errors="backslashreplace").decode(), cut)


def _indent(raw: bytes) -> str:
    """The JSON in `raw`, indented, not much longer than `PREVIEW_MAX`; empty if it is not JSON."""
    if len(raw) > _JSON_MAX:
        return ""
    try:
        value = json.loads(raw, object_pairs_hook=_unique_names)
        return _join_beginning(json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value))
    except (ValueError, RecursionError):
        return ""


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object. Errors: ValueError for a repeated name, of which one would not be visible."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("A name is repeated.")
    return fields


def _join_beginning(chunks: Iterable[str]) -> str:
    """The first chunks: deeply nested JSON is mostly indentation and can grow a thousandfold."""
    beginning: list[str] = []
    length = 0
    for chunk in chunks:
        beginning.append(chunk)
        length += len(chunk)
        if length > PREVIEW_MAX:
            break
    return "".join(beginning)
