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

from decimal import Decimal  # noqa: E402

from django.conf import settings  # noqa: E402
from django.db import InterfaceError, OperationalError, connection  # noqa: E402

from common.refusal import Refusal  # noqa: E402
from tests.moments import NOON  # noqa: E402
from tests.treasury.purchases import FINN  # noqa: E402
from treasury import services as treasury  # noqa: E402
from treasury.models import Purchase, PurchasePolicy  # noqa: E402
from treasury.rail_list import rail_named  # noqa: E402

# As the job does: approved, reserved, sent, settled.
STEPS_MAX = 4
# In a turn, which then asks for fifty that may be credit already: of these there are thousands in a
# large run, and new ones must not wait for them.
PROPOSED_AT_ONCE, PROPOSED_AT_ONCE_OF_MANY, MANY = 5, 25, 1000


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
    """Propose something and carry it on, then what is due."""
    for _ in range(PROPOSED_AT_ONCE if wanted < MANY else PROPOSED_AT_ONCE_OF_MANY):
        if Purchase.objects.count() < wanted:
            for purchase in propose(clock()):
                carry_on(purchase.pk, clock)
    for purchase_id in treasury.claim_purchases(now=clock()):
        carry_on(purchase_id, clock)


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
