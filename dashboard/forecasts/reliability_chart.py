"""What forecasts promised at each quantile, beside what came."""

from collections.abc import Sequence
from decimal import Decimal

from dashboard.charts import Chart, Line, Period, line
from prediction.queries.calibration import Forecasted, reliability

# Of fewer pieces of work, a part of them says nothing.
_ROWS_MIN = 50


def reliability_chart(newest: Sequence[Forecasted]) -> Chart | None:
    """The part of the work within each quantile, beside what was promised. None with too little
    work that was forecast."""
    if len(newest) < _ROWS_MIN:
        return None
    promises = reliability(newest)
    return line(
        name="forecast-reliability",
        title="Shares within each quantile, of the newest work",
        periods=[Period(f"P{100 * each.share:.0f}") for each in promises],
        lines=[
            Line("Within it", [_percent(each.held) for each in promises], slot=0),
            Line("Promised", [_percent(each.share) for each in promises], slot=0, is_forecast=True),
        ],
        kind="percent",
    )


def _percent(share: float | None) -> Decimal | None:
    return None if share is None else round(100 * Decimal(share), 1)
