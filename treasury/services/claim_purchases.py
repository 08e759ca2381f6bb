"""Claim the purchases that one program carries on, so that others take other ones."""

from datetime import datetime, timedelta

from django.db import transaction

from treasury.models import Purchase
from treasury.queries.purchases import due_purchases

# A program that was killed carries nothing on: after that, another one does.
_CLAIMED_FOR = timedelta(minutes=2)


@transaction.atomic(durable=True)
def claim_purchases(*, now: datetime) -> list[int]:
    """The ids of purchases that the caller carries on now, as `due_purchases` has them.

    What waits for an answer of its rail is claimed by one program: asking is work, and three who
    ask learn the same. What is about to be set aside or sent has one winner anyway, so it is
    handed to all: to lose that race costs little, and nothing waits for a program that was killed.
    """
    due = due_purchases(now=now)
    waiting = Purchase.objects.filter(pk__in=due, ask_at__lte=now)
    # Those that another program claims at this moment are its own.
    free = set(
        waiting.order_by("pk")
        .select_for_update(skip_locked=True, no_key=True)
        .values_list("pk", flat=True)
    )
    Purchase.objects.filter(pk__in=free).update(ask_at=now + _CLAIMED_FOR)
    at_once = set(Purchase.objects.filter(pk__in=due, ask_at=None).values_list("pk", flat=True))
    return [pk for pk in due if pk in free or pk in at_once]
