"""JSON values that PostgreSQL can store, and moments as JSON has them."""

from datetime import UTC, datetime
from typing import Any


def storable(value: Any) -> Any:
    """The value with U+FFFD for each NUL character and `?` for each lone surrogate in its texts."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [storable(each) for each in value]
    if isinstance(value, dict):
        return {storable(name): storable(each) for name, each in value.items()}
    return value


def iso(moment: datetime | None) -> str | None:
    """A moment as JavaScript writes it, to the millisecond."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
