"""What is between the organisation's own accounts, and since when."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Exists, OuterRef

from treasury.models import Account, AccountKind, Phase, Transfer, TransferKind


class InTransit(NamedTuple):
    """What is in transit on an account, in all, and the transfer that has not arrived for longest:
    the day on which it left, and the account that it left."""

    amount: Decimal
    transfer_id: int
    left_on: date
    source: str


def own_transit_accounts() -> list[Account]:
    """The accounts of money that is between the organisation's own accounts."""
    accounts = Account.objects.filter(kind=AccountKind.TRANSIT, name__contains="transit:own:")
    return list(accounts.order_by("pk"))


def oldest_in_transit(account: Account) -> InTransit | None:
    """What left first arrives first; what was taken back by name has not left. None: nothing is in
    transit."""
    balance = left = Account.objects.get(pk=account.pk).balance
    if balance <= 0:
        return None
    taken_back = Transfer.objects.filter(corrects=OuterRef("pk"), kind=TransferKind.REVERSAL)
    departures = (
        Transfer.objects.filter(debit=account, phase__in=[Phase.SINGLE, Phase.POST])
        .exclude(Exists(taken_back))
        .select_related("credit")
        .order_by("-effective_on", "-pk")
    )
    # Those that left last are still on their way.
    for departure in departures.iterator(chunk_size=100):
        left -= departure.amount
        if left <= 0:
            return InTransit(balance, departure.pk, departure.effective_on, departure.credit.name)
    return None
