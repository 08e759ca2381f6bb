"""Compare what a provider says of a credit with what the ledger has."""

from collections.abc import Sequence
from decimal import Decimal

# Charges are posted every five minutes, and providers count behind, too.
TOLERANCE = Decimal("1.00")
TOLERANCE_SHARE = Decimal("0.01")
# How often in a row, so that what is only late is told to nobody.
IN_A_ROW = 2


def difference(amount: Decimal, *, ledger: Decimal, in_transit: Decimal) -> Decimal:
    """How much the provider has more than the ledger; below zero: less.

    Money in transit may be credit already, so that much more is no difference.
    """
    more = amount - ledger
    return max(more - in_transit, Decimal(0)) if more > 0 else more


def is_beyond(found: Decimal, *, ledger: Decimal) -> bool:
    """Whether a difference is more than 1 USD and more than 1 % of the credit."""
    return abs(found) > max(TOLERANCE, abs(ledger) * TOLERANCE_SHARE)


def differs(latest: Sequence[tuple[Decimal, Decimal, Decimal]]) -> bool:
    """Whether the latest readings (amount, ledger, in transit) all differ, in one direction."""
    found = [
        difference(amount, ledger=ledger, in_transit=in_transit)
        for amount, ledger, in_transit in latest
    ]
    beyond = [
        is_beyond(each, ledger=ledger) for each, (_, ledger, _) in zip(found, latest, strict=True)
    ]
    return len(found) >= IN_A_ROW and all(beyond) and len({each > 0 for each in found}) == 1
