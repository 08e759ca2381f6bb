"""What a forecast is measured by."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def pinball(real: Floats, forecast: Floats, share: float) -> float:
    """The mean pinball loss in tokens."""
    over = real - forecast
    return float(np.mean(np.maximum(share * over, (share - 1) * over)))


class Scores(NamedTuple):
    """`pin50`, `pin90`: relative to the constant. `cov`: share of work within its P90. `mdape`: the
    median of |real − P50| / real. `q50`, `q90`: quantiles of the larger of real / P50 and
    P50 / real. `rho`: rank correlation. `over`: mean P90 / mean real."""

    pin50: float
    pin90: float
    cov: float
    mdape: float
    q50: float
    q90: float
    rho: float
    over: float


def scores(real: Floats, p50: Floats, p90: Floats, constant: tuple[float, float]) -> Scores:
    """The scores of forecasts; `constant`: the pinball losses of the constant."""
    ratio = np.maximum(real / p50, p50 / real)
    return Scores(
        pinball(real, p50, 0.5) / constant[0],
        pinball(real, p90, 0.9) / constant[1],
        float(np.mean(real <= p90)),
        float(np.median(np.abs(real - p50) / real)),
        float(np.quantile(ratio, 0.5)),
        float(np.quantile(ratio, 0.9)),
        _rank_correlation(real, p50),
        float(p90.mean() / real.mean()),
    )


def _rank_correlation(left: Floats, right: Floats) -> float:
    if np.ptp(right) == 0:
        return float("nan")
    return float(np.corrcoef(_ranks(left), _ranks(right))[0, 1])


def _ranks(values: Floats) -> Floats:
    """Ranks, where equals share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: Floats = (last - (counts - 1) / 2)[inverse]
    return means
