"""What a history entry changed, value by value, as people read it."""

from typing import NamedTuple

from keys.models import History


class Change(NamedTuple):
    """One value before and after, in words; empty where there was or is none."""

    name: str
    before: str
    after: str


def changes(entry: History) -> list[Change]:
    """The values that differ between `before` and `after`; all of them when there is one side."""
    before, after = entry.before or {}, entry.after or {}
    both_sides = bool(entry.before and entry.after)
    return [
        Change(name.replace("_", " "), _shown(before.get(name)), _shown(after.get(name)))
        for name in dict.fromkeys([*before, *after])
        if not both_sides or before.get(name) != after.get(name)
    ]


def subject_of(entry: History) -> str:
    """What a limit change is about, as `tokens per day`; empty for other entries."""
    terms = entry.after or entry.before or {}
    if entry.kind != History.Kind.LIMIT_CHANGE or "unit" not in terms:
        return ""
    return f"{terms['unit']} per {terms['period']}"


def _shown(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    text = str(value)
    whole, _, places = text.partition(".")
    if not whole.lstrip("-").isdecimal() or (places and not places.isdecimal()):
        return text
    return f"{int(whole):,}" + (f".{places}" if places.strip("0") else "")
