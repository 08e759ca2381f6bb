"""Balances as of a day, as they are known now or were known at a moment."""

from datetime import date, datetime
from decimal import Decimal

from django.db.models import Q, Sum

from treasury.models import Account, NormalSide, Phase, Transfer
from treasury.models.amounts import ZERO


def balance(
    account: Account, *, on: date | None = None, known_at: datetime | None = None
) -> Decimal:
    """What was on the account at the end of the day `on` (None: now), by the transfers that were
    recorded until `known_at` (None: all). What is pending does not count."""
    posted = Transfer.objects.filter(phase__in=[Phase.SINGLE, Phase.POST])
    if on is not None:
        posted = posted.filter(effective_on__lte=on)
    if known_at is not None:
        posted = posted.filter(created_at__lte=known_at)
    sums = posted.aggregate(
        debits=Sum("amount", filter=Q(debit=account), default=ZERO),
        credits=Sum("amount", filter=Q(credit=account), default=ZERO),
    )
    debit: Decimal = sums["debits"] - sums["credits"]
    return debit if account.normal_side == NormalSide.DEBIT else -debit
