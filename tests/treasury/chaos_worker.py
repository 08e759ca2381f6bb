"""Carries purchases on until it is killed, with a clock that runs faster.

`python -m tests.treasury.chaos_worker SIMULATOR PURCHASES SPEED BEGAN`
"""

import os
import random
import sys
import time
from datetime import datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "butler_site.settings")
django.setup()

from decimal import Decimal  # noqa: E402

from django.conf import settings  # noqa: E402

from common.refusal import Refusal  # noqa: E402
from tests.moments import NOON  # noqa: E402
from tests.treasury.purchases import FINN  # noqa: E402
from treasury import services as treasury  # noqa: E402
from treasury.models import Purchase, PurchasePolicy  # noqa: E402
from treasury.queries import due_purchases  # noqa: E402


def main() -> None:
    """Propose, and carry on what is due, for ever."""
    settings.SIMULATOR_URL = sys.argv[1]
    wanted, speed, began = int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    policies = list(PurchasePolicy.objects.values_list("pk", flat=True))
    while True:
        now: datetime = NOON + timedelta(seconds=(time.time() - began) * speed)
        if Purchase.objects.count() < wanted:
            propose(random.choice(policies), now)
        for purchase_id in due_purchases(now=now):
            treasury.advance_purchase(purchase_id, now=now)
        time.sleep(0.005)


def propose(policy_id: int, now: datetime) -> None:
    """Want some credit; a double click now and then."""
    amount = Decimal(random.randint(1, 2500)) / 100
    for _ in range(random.choice([1, 1, 2])):
        try:
            treasury.propose_purchase(policy_id, amount, reason="chaos", actor=FINN, now=now)
        except Refusal:
            continue


if __name__ == "__main__":
    main()
