"""How good a forecaster is, on rows as if it had not learned from them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prediction.learning.rows import Rows

Floats = NDArray[np.float64]


def held_back_scores(rows: Rows, p50: Floats, p90: Floats) -> dict[str, Any]:
    """Scores of complete rows that can be stored. `p50`, `p90`: tokens forecast for each row
    without itself. Pinball losses are relative to the median and the P90 of all rows."""
    complete = ~rows.censored
    real, half, ninety = rows.values[complete, 0], p50[complete], p90[complete]
    if not len(real):
        return {"rows": 0}
    losses = [
        _pinball(real, half, 0.5) / max(_pinball(real, np.quantile(real, 0.5), 0.5), 1e-9),
        _pinball(real, ninety, 0.9) / max(_pinball(real, np.quantile(real, 0.9), 0.9), 1e-9),
    ]
    return {
        "rows": len(real),
        "pinball_p50": round(losses[0], 4),
        "pinball_p90": round(losses[1], 4),
        "coverage_p90": round(float(np.mean(real <= ninety)), 4),
        "mdape": round(float(np.median(np.abs(real - half) / np.maximum(real, 1))), 4),
    }


def _pinball(real: Floats, forecast: Any, share: float) -> float:
    over = real - forecast
    return float(np.mean(np.maximum(share * over, (share - 1) * over)))
