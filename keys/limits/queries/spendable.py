"""What an agent can still spend, and until when."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.statements import fetch
from keys.books.queries.pages import Meter, meter_of, with_open_windows
from keys.limits.sql import GRANTED
from keys.models import CostCentre, Limit


class Spendable(NamedTuple):
    """What the limits of an agent, its cost centre and all cost centres above leave to spend.

    `meters`: these limits. `tokens`, `usd`: what the tightest of them leaves; None is unlimited.
    `until`: the first reset of one of them; None when none of them resets.
    """

    meters: list[Meter]
    tokens: int | None
    usd: Decimal | None
    until: datetime | None


def spendable(*, agent: str, cost_centre: str, now: datetime) -> Spendable:
    """What the agent can spend at `now`, with the grants that run; four queries."""
    path = CostCentre.objects.values_list("path", flat=True).get(pk=cost_centre)
    scopes = [f"agent:{agent}", *(f"centre:{slug}" for slug in reversed(path))]
    limits = with_open_windows(Limit.objects.filter(removed_at=None, scope__in=scopes))
    unordered = [
        meter_of(limit, window, now=now) for limit in limits for window in limit.open_windows
    ]
    meters = sorted(_with_grants(unordered, now), key=lambda meter: scopes.index(meter.scope))
    tokens = min((meter.free for meter in meters if meter.unit == "tokens"), default=None)
    return Spendable(
        meters,
        None if tokens is None else int(tokens),
        min((meter.free for meter in meters if meter.unit == "usd"), default=None),
        min((meter.resets_at for meter in meters if meter.period != "total"), default=None),
    )


def _with_grants(meters: list[Meter], now: datetime) -> list[Meter]:
    rows = fetch(GRANTED, windows=[meter.window_id for meter in meters], at=now)
    granted = {row.window_id: row.amount for row in rows}
    return [replace(meter, granted=granted[meter.window_id]) for meter in meters]
