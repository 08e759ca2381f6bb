"""Carries purchases on until it is killed, with a clock that runs faster.

`python -m tests.treasury.chaos_worker SIMULATOR PURCHASES SPEED BEGAN`
"""

import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "butler_site.settings")
django.setup()

from decimal import ROUND_DOWN, Decimal  # noqa: E402
from uuid import uuid4  # noqa: E402

from django.conf import settings  # noqa: E402
from django.db import InterfaceError, OperationalError, connection  # noqa: E402

from common.refusal import Refusal  # noqa: E402
from tests.moments import NOON  # noqa: E402
from tests.treasury.purchases import FINN  # noqa: E402
from treasury import services as treasury  # noqa: E402
from treasury.models import Purchase, PurchasePolicy  # noqa: E402
from treasury.queries import due_refunds  # noqa: E402
from treasury.rail_list import rail_named  # noqa: E402

# As the job does: approved, reserved, sent, settled.
STEPS_MAX = 4
# In a turn, which then asks for fifty that may be credit already: of these there are thousands in a
# large run, and new ones must not wait for them.
PROPOSED_AT_ONCE, PROPOSED_AT_ONCE_OF_MANY, MANY = 5, 25, 1000
# How much of a purchase goes back by one refund, in hundredths; the last asks for too much if some
# of it went back before.
REFUNDED = (10, 33, 50, 100)


def main() -> None:
    """Propose, and carry on what is due, for ever; also if the database goes away and is back."""
    settings.SIMULATOR_URL = sys.argv[1]
    wanted, speed, began = int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])

    def clock() -> datetime:
        return NOON + timedelta(seconds=(time.time() - began) * speed)

    while True:
        try:
            turn(wanted, clock)
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(0.2)
        time.sleep(0.005)


def turn(wanted: int, clock: Callable[[], datetime]) -> None:
    """Propose something and carry it on, ask for money back, then carry on what is due.

    Programs are killed in the middle, so what comes last is rare.
    """
    for _ in range(PROPOSED_AT_ONCE if wanted < MANY else PROPOSED_AT_ONCE_OF_MANY):
        if Purchase.objects.count() < wanted:
            for purchase in propose(clock()):
                carry_on(purchase.pk, clock)
            ask_back(clock())
    for refund_id in due_refunds(now=clock()):
        carry_on_refund(refund_id, clock)
    for purchase_id in treasury.claim_purchases(now=clock()):
        carry_on(purchase_id, clock)


def ask_back(now: datetime) -> None:
    """Want money of one of the purchases that are credit; a double click now and then, and now and
    then two persons at once, who do not know of each other."""
    if random.random() < 0.5:
        return
    credit = Purchase.objects.filter(status="credited", reversed_at=None).order_by("pk")
    last = credit.last()
    purchase = credit.filter(pk__gte=random.randint(1, last.pk)).first() if last else None
    if purchase is None:
        return
    part = purchase.amount * random.choice(REFUNDED) / 100
    amount, key = part.quantize(Decimal("0.01"), rounding=ROUND_DOWN), uuid4()
    for each in random.choice([[key], [key, key], [key, uuid4()]]):
        with suppress(Refusal):
            treasury.ask_refund(
                amount, purchase_id=purchase.pk, reason="chaos", key=each, actor=FINN, now=now
            )


def carry_on_refund(refund_id: int, clock: Callable[[], datetime]) -> None:
    """Do what the job does for a refund; now and then an answer comes twice."""
    refund = treasury.advance_refund(refund_id, now=clock())
    if refund.body and random.random() < 0.1:
        answer = rail_named("simulator").find_refund(
            str(refund.key), vendor_id=refund.vendor_id, since=refund.asked_at
        )
        if answer.outcome != "absent":
            for _ in range(2):
                treasury.apply_refund_answer(refund_id, answer, now=clock())


def carry_on(purchase_id: int, clock: Callable[[], datetime]) -> None:
    """Do what the job does for a purchase; now and then an answer comes twice."""
    status = ""
    for _ in range(STEPS_MAX):
        purchase = treasury.advance_purchase(purchase_id, now=clock())
        if purchase.status == status:
            break
        status = purchase.status
    if purchase.body and random.random() < 0.1:
        answer = rail_named("simulator").find(str(purchase.key))
        for _ in range(2):
            treasury.apply_answer(purchase_id, answer, now=clock())


def propose(now: datetime) -> list[Purchase]:
    """Want some credit; a double click now and then."""
    policy_id = random.choice(list(PurchasePolicy.objects.values_list("pk", flat=True)))
    amount = Decimal(random.randint(1, 2500)) / 100
    proposed = []
    for _ in range(random.choice([1, 1, 2])):
        with suppress(Refusal):
            proposed.append(
                treasury.propose_purchase(policy_id, amount, reason="chaos", actor=FINN, now=now)
            )
    return proposed


if __name__ == "__main__":
    main()
