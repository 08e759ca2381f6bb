"""A chain with something of everything that is sealed."""

from datetime import date, timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from keys import services as keys
from keys.models import Charge, ChargePartition
from security.models import Approval
from security.services import seal_rows
from tests.keys.builders import PAID, add_key, adjust, allocate, hold, report, settle
from tests.moments import NOON
from tests.treasury.builders import FUNDING, RAIL, entry, open_accounts, transfer


@pytest.fixture
def chain(people):
    """Three rounds of seals over something of everything that is sealed."""
    add_key("openai-1", rates=PAID)
    lent = allocate(tokens=50_000, auto_rotate=False)
    asked, _ = ask_approval(), ask_approval()
    seal_all(hours=1)
    for tokens in (100, 200, 300):
        settle(hold(lent, 1_000), tokens, output_tokens=10)
    adjust(report(lent, 50), 40)
    late, released, _ = (sent(lent, f"sent-{number}") for number in range(3))
    expired_at = NOON + timedelta(seconds=settings.HOLD_SECONDS)
    keys.expire_charges(now=expired_at)
    gone = ChargePartition.objects.create(
        month=date(2020, 1, 1), created_at=NOON, completed_at=NOON
    )
    ChargePartition.objects.filter(pk=gone.pk).update(dropped_at=NOON, row_ids="{[0,1)}")
    open_accounts()
    transfer(entry(RAIL, FUNDING, 100))
    seal_all(hours=2)
    settle(late, 60, now=expired_at)
    keys.release(charge=released, now=expired_at)
    report(lent, 70)
    decide(asked)
    seal_all(hours=3)
    return lent


def sent(allocation, call):
    """A hold of the gateway for a call that it has sent."""
    wanted = keys.HoldRequest(allocation.pk, 80, 80, call, route="/v1/messages")
    (held,) = keys.hold_many([wanted], now=NOON)
    return Charge.objects.get(pk=held.pk)


def ask_approval():
    """A change that waits for a second person."""
    return Approval.objects.create(
        kind="limit",
        subject="agent:ada",
        change={},
        effect="more",
        asked_by_name="ada",
        asked_by_kind="person",
        asked_persons=["ada"],
        reason="test",
        asked_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )


def decide(approval):
    """Nobody wants the change any more."""
    approval.status, approval.decided_at = Approval.Status.WITHDRAWN, NOON
    approval.decided_by_name = "ada"
    approval.save()


def seal_all(hours=4):
    """Seal all that waits, some hours after noon."""
    while seal_rows(now=NOON + timedelta(hours=hours)):
        pass


def now():
    """The moment at which the tail is looked at, which the database has written."""
    return timezone.now()
