"""The changes of an audit entry, value by value, as text for people."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from security.models import AuditEntry

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\S*")


class Change(NamedTuple):
    """One value before and after as text; empty for a missing value."""

    name: str
    before: str
    after: str


def changes(entry: AuditEntry) -> list[Change]:
    """The values that differ between `before` and `after`; all of them when there is one side."""
    before, after = entry.before or {}, entry.after or {}
    both_sides = bool(entry.before and entry.after)
    return [
        Change(name.replace("_", " "), _words(before.get(name)), _words(after.get(name)))
        for name in dict.fromkeys([*before, *after])
        if not both_sides or before.get(name) != after.get(name)
    ]


def _words(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    text = str(value)
    if _MOMENT.fullmatch(text):
        return _minutes(text)
    whole, _, places = text.partition(".")
    if not whole.lstrip("-").isdecimal() or (places and not places.isdecimal()):
        return text
    return f"{int(whole):,}" + (f".{places}" if places.strip("0") else "")


def _minutes(text: str) -> str:
    """A moment in ISO 8601 to the minute in UTC; a text that only looks like one as it is."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return text
