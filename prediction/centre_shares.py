"""By which quantile cost centres size budgets, kept in the memory of each process."""

import time

from keys.models import Agent, CostCentre
from prediction.models import CentreForecast, Share

_SECONDS_KEPT = 10.0
_kept: dict[str, str] = {}
_looked_at = [float("-inf")]


def share_of(*, agent: str, cost_centre: str | None) -> str:
    """The share of the cost centre (None: the agent's own), or of the nearest above it that has
    one; P90 without any."""
    if time.monotonic() - _looked_at[0] >= _SECONDS_KEPT:
        lines = dict(CentreForecast.objects.values_list("cost_centre_id", "share"))
        _kept.clear()
        _kept.update(lines)
        _looked_at[0] = time.monotonic()
    if not _kept:
        return Share.P90
    path = _path(agent, cost_centre)
    return next((_kept[slug] for slug in reversed(path) if slug in _kept), Share.P90)


def _path(agent: str, cost_centre: str | None) -> list[str]:
    if cost_centre is None:
        own = Agent.objects.filter(pk=agent).values_list("cost_centre__path", flat=True)
        return own.first() or []
    named = CostCentre.objects.filter(pk=cost_centre).values_list("path", flat=True)
    return named.first() or []


def forget() -> None:
    """Ask the database the next time."""
    _looked_at[0] = float("-inf")
