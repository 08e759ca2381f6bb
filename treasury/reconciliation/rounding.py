"""What rounding can explain."""

from collections.abc import Sequence
from decimal import Decimal

# Money is not rounded to more than cents; with more places than these, rounding does not show.
_PLACES_MIN, _PLACES_MAX = 2, 4


def places(amount: Decimal) -> int:
    """How many decimal places an amount needs."""
    exponent = amount.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def rounded_away(difference: Decimal, amounts: Sequence[Decimal]) -> str:
    """The evidence that rounding each of the provider's amounts makes the difference, or nothing.

    Rounding to a place changes each of them by less than a unit of it, up or down.
    """
    finest = max((places(each) for each in amounts), default=0)
    finest = max(finest, _PLACES_MIN)
    unit = Decimal(1).scaleb(-finest)
    if finest > _PLACES_MAX or abs(difference) >= unit * len(amounts):
        return ""
    return (
        f"The provider's {len(amounts)} amounts have {finest} decimal places at most, so rounding "
        f"them explains up to {unit * len(amounts):f} USD."
    )
