"""Bodies as people read them: JSON indented, everything else as it is, never more than a page.

Agents and providers write these bodies: nothing in them may make the page fail, grow or lie.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

SHOWN_MAX = 200_000
# Beyond this a body is not read as JSON: most of it would be cut anyway.
_JSON_MAX = 2_000_000


class Shown(NamedTuple):
    """Text for a page; `cut`: only the beginning."""

    text: str
    cut: bool


def body(raw: bytes) -> Shown:
    """`raw` as text; what is no UTF-8 is marked."""
    text = _indented(raw) or raw[: 4 * SHOWN_MAX].decode(errors="replace")
    cut = len(text) > SHOWN_MAX or len(raw) > 4 * SHOWN_MAX
    # JSON can spell halves of characters, which no page can carry.
    return Shown(text[:SHOWN_MAX].encode(errors="backslashreplace").decode(), cut)


def _indented(raw: bytes) -> str:
    """The JSON in `raw` on lines of its own, not much beyond `SHOWN_MAX`; empty for no JSON."""
    if len(raw) > _JSON_MAX:
        return ""
    try:
        found = json.loads(raw, object_pairs_hook=_once)
        return _beginning(json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(found))
    except (ValueError, RecursionError):
        return ""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object, unless it says something twice: one of the two would not be shown."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("A name stands twice.")
    return found


def _beginning(chunks: Iterable[str]) -> str:
    """Deeply nested JSON is mostly indentation: it can grow a thousandfold."""
    taken, length = [], 0
    for chunk in chunks:
        taken.append(chunk)
        length += len(chunk)
        if length > SHOWN_MAX:
            break
    return "".join(taken)
