"""Adjustments of settled charges."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from keys import services as keys
from keys.books.queries.usage import UsageFilter, usage_totals
from keys.models import Adjustment, Agent, Allocation, Charge, Window
from keys.refusals import (
    AdjustmentRefused,
    ChargeEnded,
    ChargeNotFound,
    ChargeNotSettled,
    IdempotencyMismatch,
    WrongValue,
)
from security.models import AuditEntry
from tests.books import assert_books_balance
from tests.keys.builders import (
    PAID,
    add_key,
    adjust,
    allocate,
    complete,
    hold,
    limit,
    report,
    rotate,
    settle,
)
from tests.moments import NOON

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def charge(people):
    """A settled charge of 400 tokens of input, on a key, an agent and a cost centre with limits."""
    limit(add_key("openai-1", rates=PAID), 10, unit="usd", period="month")
    limit(Agent.objects.get(pk="ada"), 100_000)
    return report(allocate(ttl_seconds=500_000, auto_rotate=False), 400)


def windows():
    """What each window has used and committed, by scope and unit."""
    return {(w.scope, w.unit): (w.used, w.committed) for w in Window.objects.filter(closed_at=None)}


@pytest.mark.parametrize("tokens", [100, 900, 0])
def test_an_adjustment_moves_the_allocation_and_its_windows(charge, tokens):
    adjustment = adjust(charge, tokens)
    assert (adjustment.tokens, adjustment.input_tokens) == (tokens - 400, tokens - 400)
    assert adjustment.cost == (tokens - 400) * Decimal("0.000003")
    allocation = Allocation.objects.get()
    assert (allocation.used, allocation.left) == (tokens, 1_000 - tokens)
    assert windows()["agent:ada", "tokens"] == (tokens, 1_000 - tokens)
    assert windows()["key:openai-1", "usd"][0] == tokens * Decimal("0.000003")
    totals = usage_totals(UsageFilter())
    assert (totals["calls"], totals["tokens"]) == (1, tokens)
    assert_books_balance()


def test_the_charge_stays_as_it_was_settled(charge):
    adjust(charge, 100)
    adjust(charge, 250)
    charge.refresh_from_db()
    assert (charge.tokens, charge.cost) == (400, Decimal("0.0012"))
    assert [each.tokens for each in charge.adjustments.all()] == [150, -300]
    assert_books_balance()


def test_an_adjustment_is_never_changed_or_deleted(charge):
    adjustment = adjust(charge, 100)
    for change in (lambda: Adjustment.objects.update(tokens=1), adjustment.delete):
        with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
            change()


def test_a_cost_of_its_own_and_the_parts_of_the_usage_are_adjusted(charge):
    adjustment = adjust(charge, 300, cached_tokens=200, output_tokens=50, cost=Decimal("0.5"))
    assert (adjustment.cached_tokens, adjustment.output_tokens) == (200, 50)
    assert adjustment.cost == Decimal("0.4988")
    assert usage_totals(UsageFilter())["cached_tokens"] == 200
    assert_books_balance()


def test_it_counts_in_the_windows_of_its_charge_even_after_they_have_closed(charge):
    keys.open_windows(now=NOON + DAY)
    adjust(charge, 150, now=NOON + DAY)
    used = Window.objects.filter(scope="agent:ada").order_by("starts_at")
    assert [(w.used, w.committed) for w in used] == [(150, 0), (0, 850)]
    assert windows()["key:openai-1", "usd"][0] == Decimal("0.00045")
    assert_books_balance()


def test_a_limit_that_begins_later_counts_adjusted_figures(charge):
    adjust(charge, 150)
    limit(Agent.objects.get(pk="ada"), 5, unit="usd", period="total")
    assert windows()["agent:ada", "usd"][0] == Decimal("0.00045")
    assert_books_balance()


def test_usage_goes_back_to_what_is_committed_even_if_the_limit_was_lowered(charge):
    limit(Agent.objects.get(pk="ada"), 10)
    adjust(charge, 100)
    assert windows()["agent:ada", "tokens"] == (100, 900)
    assert_books_balance()


def test_tokens_of_yesterday_do_not_go_back_to_an_open_session_without_room(charge):
    limit(Agent.objects.get(pk="ada"), 600)
    keys.open_windows(now=NOON + DAY)
    with pytest.raises(AdjustmentRefused):
        adjust(charge, 100, now=NOON + DAY)
    assert not Adjustment.objects.exists()
    complete(charge.allocation, now=NOON + DAY)
    adjust(charge, 100, now=NOON + DAY)
    assert_books_balance()


def test_more_than_is_left_closes_the_session(charge):
    adjust(charge, 1_500)
    allocation = Allocation.objects.get()
    assert (allocation.status, allocation.overrun, allocation.used) == ("exhausted", True, 1_500)
    adjust(charge, 10)
    allocation.refresh_from_db()
    assert (allocation.status, allocation.used) == ("exhausted", 10)
    assert_books_balance()


def test_the_key_that_was_called_pays_after_a_rotation(charge):
    add_key("nvidia-1")
    rotate(charge.allocation)
    adjust(charge, 700)
    assert windows()["key:openai-1", "tokens"] == (700, 0)
    assert windows()["key:nvidia-1", "tokens"] == (0, 300)
    assert_books_balance()


def test_the_same_idempotency_key_is_the_same_adjustment(charge):
    first = adjust(charge, 100, idempotency_key="invoice-7")
    adjust(charge, 200)
    assert adjust(charge, 100, idempotency_key="invoice-7") == first
    with pytest.raises(IdempotencyMismatch):
        adjust(charge, 101, idempotency_key="invoice-7")
    assert Adjustment.objects.count() == 2
    assert Allocation.objects.get().used == 200


def test_the_audit_says_what_was_and_what_is(charge):
    adjust(charge, 100)
    entry = AuditEntry.objects.get(action="charge.adjust")
    assert entry.before == {"input_tokens": 400, "tokens": 400, "cost": "0.001200000"}
    assert entry.after == {"input_tokens": 100, "tokens": 100, "cost": "0.000300000"}
    assert (entry.subject, entry.reason) == (f"charge:{charge.pk}", "as billed")


def test_what_cannot_be_adjusted_is_refused(charge):
    for tokens, changes in ((400, {}), (1, {"cached_tokens": 2}), (1, {"cost": Decimal(-1)})):
        with pytest.raises(WrongValue):
            adjust(charge, tokens, **changes)
    with pytest.raises(ChargeNotFound):
        adjust(Charge(pk=10**9), 1)
    with pytest.raises(ChargeNotSettled):
        adjust(hold(charge.allocation, 10), 1)
    assert not Adjustment.objects.exists()


def expired_hold(allocation):
    """A charge of the gateway whose hold expired, so that the whole hold was charged."""
    request = keys.HoldRequest(allocation.pk, 500, 500, "call", route="/v1/messages")
    (held,) = keys.hold_many([request], now=NOON)
    keys.expire_charges(now=NOON + timedelta(minutes=5))
    return held


def test_a_late_settlement_does_not_change_an_adjusted_charge(charge):
    held = expired_hold(charge.allocation)
    adjust(held, 50)
    with pytest.raises(ChargeEnded):
        settle(held, 60, now=NOON + timedelta(minutes=6))
    assert Allocation.objects.get().used == 450
    assert_books_balance()


def test_a_late_settlement_after_the_end_of_a_window_is_an_adjustment(charge):
    held = expired_hold(charge.allocation)
    keys.open_windows(now=NOON + DAY)
    assert [settle(held, 60, now=NOON + DAY) for _ in range(2)] == [1, 0]
    adjustment = Adjustment.objects.get()
    assert (adjustment.charge_id, adjustment.tokens) == (held.pk, -440)
    assert Allocation.objects.get().used == 460
    assert_books_balance()


def test_the_same_settlement_again_is_none_after_an_adjustment_either(people):
    add_key("nvidia-1")
    held = hold(allocate(), 500)
    settle(held, 200)
    adjust(held, 150)
    assert (settle(held, 200), settle(held, 150)) == (0, 0)
    with pytest.raises(ChargeEnded):
        settle(held, 300)
    assert Allocation.objects.get().used == 150
    assert_books_balance()
