"""How fast a key spends, and when it has spent all that its limits allow."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from keys.books.queries.pages import Meter

# Later than that, nobody should rely on the pace of an hour.
_AHEAD_MAX = timedelta(days=366)


class Burn(NamedTuple):
    """What a key spends in an hour, at the pace of the last one."""

    tokens: Decimal = Decimal(0)
    usd: Decimal = Decimal(0)

    def of(self, unit: str) -> Decimal:
        """In the unit of a limit."""
        return self.tokens if unit == "tokens" else self.usd


def exhausted_at(meters: Iterable[Meter], burn: Burn, *, now: datetime) -> datetime | None:
    """When the first of the limits is used up at this pace; None if all of them reset before."""
    ends = [
        now + timedelta(hours=float(hours))
        for meter in meters
        if (pace := burn.of(meter.unit)) and (hours := meter.free / pace) < _hours(_AHEAD_MAX)
        if now + timedelta(hours=float(hours)) < meter.resets_at
    ]
    return min(ends, default=None)


def _hours(length: timedelta) -> int:
    return length // timedelta(hours=1)
