"""The ledger with many writers at the same moment."""

from datetime import timedelta

import pytest

from tests.actors import ACTOR
from tests.moments import NOON
from tests.threads import overtaken
from tests.treasury.builders import (
    CREDIT,
    EXPENSE,
    FUNDING,
    RAIL,
    TODAY,
    TRANSIT,
    balances,
    begin_pending,
    broken,
    entry,
    open_account,
    open_accounts,
    post_pending,
    transfer,
    void_pending,
)
from treasury import services as treasury
from treasury.models import Account, Transfer
from treasury.refusals import PeriodClosed

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOON + timedelta(hours=1)


@pytest.fixture(autouse=True)
def accounts():
    """A bank with 100 USD."""
    open_accounts()
    transfer(entry(RAIL, FUNDING, 100))
    yield
    assert broken() == []


def test_thirty_that_want_ten_of_a_hundred_are_ten(at_once):
    taken = at_once(lambda _: transfer(entry(CREDIT, RAIL, 10)), times=30)
    assert sum(isinstance(each, list) for each in taken) == 10
    assert balances(RAIL) == (0, 0)


def test_one_idempotency_key_is_one_transfer(at_once):
    asked = entry(CREDIT, RAIL, 10)
    recorded = at_once(lambda _: transfer(asked), times=20)
    assert len({row.pk for (row,) in recorded}) == 1
    assert balances(RAIL) == (90, 90)


def test_a_pending_transfer_ends_once(at_once):
    (pending,) = begin_pending(entry(TRANSIT, RAIL, 30), expires_at=LATER)
    ends = [
        lambda: post_pending(pending, amount=pending.amount - 10),
        lambda: post_pending(pending),
        lambda: void_pending(pending),
        lambda: treasury.expire_pending(today=TODAY, now=LATER),
    ]
    at_once(lambda number: ends[number % 4](), times=20)
    assert Transfer.objects.filter(pending_of=pending).count() == 1
    on_rail, left = balances(RAIL)
    assert on_rail == left in (70, 80, 100)


def test_transfers_in_both_directions_do_not_deadlock(at_once):
    transfer(entry(CREDIT, RAIL, 50))
    pairs = [(CREDIT, RAIL), (RAIL, CREDIT), (EXPENSE, CREDIT), (EXPENSE, RAIL)]
    at_once(
        lambda number: transfer(
            entry(*pairs[number % 4], "0.25"), entry(*pairs[(number + 1) % 4], "0.25")
        ),
        times=40,
    )
    assert Transfer.objects.count() == 2 + 80


def test_no_transfer_slips_into_a_period_that_closes():
    """Who closes waits for the transfer that is being recorded; then nobody can record one."""

    def close():
        return treasury.close_period(TODAY, reason="End", actor=ACTOR, now=NOON)

    def record_late():
        # Not committed yet while the other closes.
        treasury.transfer([entry(CREDIT, RAIL, 1)], actor=ACTOR, now=NOON)

    closed = overtaken(first=record_late, then=close)
    assert (closed.through, Transfer.objects.count()) == (TODAY, 2)
    with pytest.raises(PeriodClosed):
        transfer(entry(CREDIT, RAIL, 1))


def test_one_name_is_one_account(at_once):
    opened = at_once(lambda _: open_account("fees"), times=20)
    assert len({account.pk for account in opened}) == 1
    assert Account.objects.filter(name="fees").count() == 1
