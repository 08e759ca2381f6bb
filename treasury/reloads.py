"""When a provider has reloaded its credit by itself: rules over what it says of its balance."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from treasury.balances.compare import TOLERANCE, TOLERANCE_SHARE

# Providers reload 5 USD or more; less may be a rounding or a refund of a call.
RELOAD_MIN = Decimal(5)
# How far two sightings of one reload can lie apart: an invoice names a day, of another zone.
SAME_WITHIN = timedelta(days=3)
_CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a provider said at a moment, and what the ledger had then; `granted` is no purchase."""

    amount: Decimal
    granted: Decimal
    ledger: Decimal
    in_transit: Decimal


def reload_between(before: Reading, after: Reading) -> Decimal:
    """What came to the credit between two readings, in whole cents; 0 for nothing.

    Credit only rises if something came. How much, is the rise and what was used in between, which
    the ledger knows. What Butler or a person has under way for it is no reload of the provider.
    """
    if before.in_transit or after.in_transit:
        return Decimal(0)
    rise = (after.amount - after.granted) - (before.amount - before.granted)
    came = rise - (after.ledger - before.ledger)
    if min(rise, came) < RELOAD_MIN:
        return Decimal(0)
    return came.quantize(_CENT, ROUND_HALF_UP)


def is_same(amount: Decimal, other: Decimal, *, apart: timedelta) -> bool:
    """Whether two sightings are of one reload: they are close in amount and in time.

    What was used between two readings is known to 1 USD or 1 %, as balances are compared.
    """
    close = abs(amount - other) <= max(TOLERANCE, abs(other) * TOLERANCE_SHARE)
    return close and abs(apart) <= SAME_WITHIN


@dataclass(frozen=True, kw_only=True)
class Approved:
    """What two persons have approved for a credit that its provider reloads."""

    per_purchase_max: Decimal
    daily_max: Decimal
    monthly_max: Decimal
    approval_above: Decimal
    is_paused: bool


def beyond(approved: Approved, amount: Decimal, *, of_day: Decimal, of_month: Decimal) -> str:
    """By which bound a reload is more than was approved, in a sentence; blank if by none.

    `of_day` and `of_month`: what counts on its day and in its month, with it.
    """
    for is_more, sentence in (
        (approved.is_paused, "The policy is paused, so nothing was to be bought."),
        (
            amount > approved.per_purchase_max,
            f"One purchase may cost {approved.per_purchase_max:.2f}.",
        ),
        (
            amount > approved.approval_above,
            f"More than {approved.approval_above:.2f} needs a second person, whom a provider does "
            "not ask.",
        ),
        (
            of_day > approved.daily_max,
            f"It makes {of_day:.2f} on this day, of {approved.daily_max:.2f}.",
        ),
        (
            of_month > approved.monthly_max,
            f"It makes {of_month:.2f} in this month, of {approved.monthly_max:.2f}.",
        ),
    ):
        if is_more:
            return sentence
    return ""


def middle(earlier: datetime, later: datetime) -> datetime:
    """The moment that a reload between two readings is taken to be of."""
    return earlier + (later - earlier) / 2
