"""The registry of periods whose usage must not grow any more. Open to apps above.

Such an app has a module `closed_usage`, which is imported at start:

    closed_usage.register(_closed_months)
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple


class ClosedPeriod(NamedTuple):
    """A period `[starts_at, ends_at)` that was closed; `name` for people, such as March 2026."""

    name: str
    starts_at: datetime
    ends_at: datetime


# Returns the closed periods, after it has made sure that no other is closed until the end of the
# transaction.
Lookup = Callable[[], list[ClosedPeriod]]

_lookups: list[Lookup] = []


def register(lookup: Lookup) -> None:
    """Add a lookup to the registry."""
    _lookups.append(lookup)


def hold_closed_periods() -> list[ClosedPeriod]:
    """All periods that are closed. No other one is closed until the caller's transaction ends."""
    return [period for lookup in _lookups for period in lookup()]
