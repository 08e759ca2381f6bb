"""How well forecasts held over time: calibration and drift in one chart."""

from collections.abc import Sequence
from decimal import Decimal

from dashboard.charts import Chart, Line, Period, line
from prediction.queries.calibration import Forecasted, outcomes_over_time

SIZE = 50


def drift_chart(newest: Sequence[Forecasted]) -> Chart | None:
    """The shares of work within P50 and P90, of SIZE pieces in a row each, beside what was
    promised. None without two of them."""
    blocks = outcomes_over_time(newest, size=SIZE)
    if len(blocks) < 2:
        return None
    count = len(blocks)
    return line(
        name="forecast-drift",
        title=f"Shares within P50 and P90, {SIZE} pieces of work in a row each",
        periods=[Period(f"{SIZE * (count - place)} ago") for place in range(count)],
        lines=[
            Line("Within P90", [_percent(each.within_p90) for each in blocks], slot=0),
            Line("Within P50", [_percent(each.within_p50) for each in blocks], slot=1),
            Line("90 promised", [Decimal(90)] * count, slot=0, is_forecast=True),
            Line("50 promised", [Decimal(50)] * count, slot=1, is_forecast=True),
        ],
        kind="percent",
    )


def _percent(share: float | None) -> Decimal | None:
    return None if share is None else round(100 * Decimal(share), 1)
