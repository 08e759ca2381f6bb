"""Figures with their intervals, in words."""

from prediction.savings.cheaper import Comparison
from prediction.savings.intervals import Interval


def percent(share: Interval) -> str:
    """A share with its interval, in per cent."""
    return f"{100 * share.estimate:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def usd(cost: Interval) -> str:
    """A cost with its interval, in USD."""
    return f"{cost.estimate:.4f} USD ({cost.low:.4f} to {cost.high:.4f})"


def figures(seen: Comparison) -> dict[str, list[float]]:
    """What was compared, as evidence."""
    return {
        "from_success": list(seen.base_share),
        "to_success": list(seen.other_share),
        "success_difference": list(seen.difference),
        "from_cost": list(seen.base_cost),
        "to_cost": list(seen.other_cost),
    }
