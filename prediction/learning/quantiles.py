"""Quantiles of what forecasts missed by: conformal, by group, and pooled upwards while small."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
SHARES = (0.5, 0.9, 0.99)
# Fewer rows cannot have a 99th percentile of their own.
P99_ROWS = 99
# A group of so many rows counts half beside its parent. The further out a quantile lies, the more
# rows say as much about it: the variance of P90 is three times that of P50.
_POOLED = np.array([20.0, 60.0, 200.0])
_ROWS_MIN = 5
# The group of all rows, with or without a text.
ROOT = "group"
# The quantiles of a group are those of its newest rows: more make them no better, but slower.
_NEWEST = 50_000
# So many rows must be as large, complete or cut off, for what is seen there to be believed.
_AT_RISK_MIN = 10
_NORMAL = NormalDist()
_LOG_2 = float(np.log(2))
# Distances of the quantiles in units of a normal law's standard deviation.
_P90_SIGMAS, _P99_SIGMAS = 1.2816, 2.3263


def conformal_quantile(residuals: Floats, share: float, censored: Bools | None = None) -> float:
    """The ⌈(n + 1) · share⌉-th smallest residual; the largest if there are too few.

    Censored residuals are lower bounds: their weight moves to the larger ones (Kaplan–Meier).
    """
    size = len(residuals)
    if censored is None or not censored.any():
        place = min(int(np.ceil((size + 1) * share)), size) - 1
        return float(np.partition(residuals, place)[place])
    # At least what they would say if all were complete.
    return max(conformal_quantile(residuals, share), _of_lower_bounds(residuals, share, censored))


def _of_lower_bounds(residuals: Floats, share: float, censored: Bools) -> float:
    size = len(residuals)
    order = np.argsort(residuals, kind="stable")
    # The next row is one more, of which nothing is known: it counts as larger than all.
    reached = (1 - _survival(censored[order])) * size / (size + 1)
    first = int(np.searchsorted(reached, share))
    if size - first >= _AT_RISK_MIN:
        return float(residuals[order[first]])
    # Nearly all that is as large was cut off: a few rows would decide.
    return _beyond(residuals[order], reached, share)


def _beyond(residuals: Floats, reached: Floats, share: float) -> float:
    """A quantile that few complete rows reach, because most large ones were cut off: as far out as
    a normal law has it through the median and the upper quartile, or the last that can be seen."""
    seen = float(reached[-_AT_RISK_MIN]) if len(reached) > _AT_RISK_MIN else 0.0
    last = float(residuals[int(np.searchsorted(reached, seen))])
    if seen <= 0.5:
        return max(float(residuals[-1]), last + _LOG_2)
    inner = min(seen, 0.75)
    half, upper = (float(residuals[np.searchsorted(reached, each)]) for each in (0.5, inner))
    sigma = (upper - half) / max(_NORMAL.inv_cdf(inner), 0.1)
    return max(last, half + sigma * _NORMAL.inv_cdf(share))


def _survival(censored: Bools) -> Floats:
    at_risk = np.arange(len(censored), 0, -1)
    survived: Floats = np.cumprod(np.where(censored, 1.0, 1 - 1 / at_risk)).astype(float)
    return survived


def quantiles_of(residuals: Floats, censored: Bools) -> Floats:
    """P50, P90 and P99, rising, each of its column of residuals (rows × SHARES). Below P99_ROWS
    rows the last is an extrapolation: as far from P90 as a normal law has it, and not below the
    largest residual."""
    half, ninety, most = (
        conformal_quantile(column, share, censored)
        for column, share in zip(residuals.T, SHARES, strict=True)
    )
    if len(residuals) < P99_ROWS:
        most = max(most, ninety + (ninety - half) * (_P99_SIGMAS - _P90_SIGMAS) / _P90_SIGMAS)
    rising: Floats = np.maximum.accumulate(np.array([half, ninety, most]))
    return rising


@dataclass(frozen=True, slots=True)
class Spread:
    """The quantiles of a group (targets × SHARES), and of how many rows."""

    quantiles: Floats
    rows: int


def pooled(own: Spread, parent: Spread | None) -> Spread:
    """The quantiles of a group, drawn to those of its parent while its rows are few."""
    if parent is None:
        return own
    weight = own.rows / (own.rows + _POOLED)
    return Spread(weight * own.quantiles + (1 - weight) * parent.quantiles, own.rows)


def spreads(
    residuals: Floats, censored: Bools, group: Ints, chains: Sequence[list[str]]
) -> dict[str, Spread]:
    """The spread of each group. `residuals`: rows × targets × SHARES; `group`: of each row;
    `chains`: for each group the names of those that it belongs to, from the largest downwards."""
    found: dict[str, Spread] = {}
    for depth in range(len(chains[0]) if chains else 0):
        names = sorted({chain[depth] for chain in chains})
        at = {name: place for place, name in enumerate(names)}
        parents = {chain[depth]: chain[:depth] for chain in chains}
        member = np.array([at[chain[depth]] for chain in chains])[group]
        order = np.argsort(member, kind="stable")
        ends = np.cumsum(np.bincount(member, minlength=len(names)))
        for name, rows in zip(names, np.split(order, ends[:-1]), strict=True):
            parent = spread_of(parents[name], found)
            if len(rows) < _ROWS_MIN and (parent is not None or name != ROOT) or not len(rows):
                continue
            newest = rows[-_NEWEST:]
            targets = np.moveaxis(residuals[newest], 1, 0)
            own = np.array([quantiles_of(target, censored[newest]) for target in targets])
            found[name] = pooled(Spread(own, len(rows)), parent)
    return found


def spread_of(chain: list[str], found: Mapping[str, Spread]) -> Spread | None:
    """The spread of the smallest group of a chain that has one."""
    return next((found[name] for name in reversed(chain) if name in found), None)
