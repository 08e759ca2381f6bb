"""The axis of a chart: round values that people can read off."""

from decimal import Decimal

from dashboard.charts.chart import Number

STEPS = 4
_ROUND = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


def axis_top(largest: Number) -> Decimal:
    """The value at the top of an axis of four equal steps, each a round number."""
    if largest <= 0:
        return Decimal(STEPS)
    step = Decimal(largest) / STEPS
    size = Decimal(10) ** step.adjusted()
    return STEPS * size * next(each for each in _ROUND if each * size >= step)


def share(value: Number, top: Number) -> Decimal:
    """The part of the axis that a value takes, from 0 to 1."""
    return min(max(Decimal(value) / Decimal(top), Decimal(0)), Decimal(1))
