"""Usage that agents report themselves."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.models import Alert
from keys import services as keys
from keys.models import Agent, Allocation, Charge, Rotation, Window
from keys.refusals import (
    AllocationNotFound,
    IdempotencyMismatch,
    ReportTooLarge,
    ReportTooLate,
    UsageIsMetered,
    WrongValue,
)
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, complete, limit, report, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db
# The margin of a small allocation: the longest answer of a call without a maximum.
ANSWER = 16_384


def kinds():
    """The kinds of alerts raised so far."""
    return sorted(Alert.objects.values_list("kind", flat=True))


def test_reported_usage_is_a_settled_charge(people):
    add_key("openai-1", rates=PAID)
    limit(Agent.objects.get(pk="ada"), 10, unit="usd", period="total")
    allocation = allocate()
    reported = report(allocation, 100, output_tokens=50, reasoning_tokens=20, cached_tokens=10)
    charge = Charge.objects.get()
    assert (charge.status, charge.tokens, charge.cost) == ("settled", 150, Decimal("0.00105"))
    names = [field.attname for field in Charge._meta.fields]
    assert [getattr(reported, name) for name in names] == [getattr(charge, name) for name in names]
    assert Window.objects.get(unit="usd").used == Decimal("0.00105")
    assert_books_balance()


def test_only_a_total_is_priced_at_the_highest_rate(people):
    add_key("openai-1", rates=PAID)
    usage = keys.Usage(total=100)
    charge, _ = keys.report_usage(allocation_id=allocate().pk, usage=usage, now=NOON)
    assert (charge.tokens, charge.input_tokens, charge.cost) == (100, 0, Decimal("0.0015"))
    assert_books_balance()


def test_the_same_idempotency_key_is_the_same_charge(people):
    add_key("nvidia-1")
    allocation = allocate()
    first = report(allocation, 100, idempotency_key="once")
    assert report(allocation, 100, idempotency_key="once") == first
    with pytest.raises(IdempotencyMismatch):
        report(allocation, 101, idempotency_key="once")
    assert report(allocate("bob"), 100, idempotency_key="once") != first
    assert Allocation.objects.get(pk=allocation.pk).used == 100
    assert_books_balance()


def test_reaching_the_threshold_warns_once(people):
    add_key("nvidia-1")
    allocation = allocate(auto_rotate=False)
    report(allocation, 749)
    assert kinds() == []
    report(allocation, 1)
    report(allocation, 1)
    assert kinds() == ["rotation_needed"]
    assert Allocation.objects.get().rotation_needed
    assert_books_balance()


def test_reaching_the_threshold_rotates_by_itself_and_resolves_the_warning(people):
    add_key("nvidia-1", priority=9)
    add_key("nvidia-2")
    report(allocate(), 800)
    assert Rotation.objects.get().to_key_id == "nvidia-2"
    assert not Alert.objects.unresolved().exists()
    assert_books_balance()


def test_where_no_key_can_take_it_the_warning_stands_and_the_sweep_tries_again(people):
    add_key("nvidia-1")
    report(allocate(), 800)
    assert Alert.objects.unresolved().count() == 1
    assert keys.rotate_stranded(now=NOON) == (0, 1)
    add_key("nvidia-2")
    assert keys.rotate_stranded(now=NOON) == (1, 0)
    assert keys.rotate_stranded(now=NOON) == (0, 0)
    assert not Alert.objects.unresolved().exists()
    assert_books_balance()


def test_the_last_token_closes_the_allocation(people):
    add_key("nvidia-1")
    allocation = allocate(auto_rotate=False)
    report(allocation, 1000)
    allocation.refresh_from_db()
    assert (allocation.status, allocation.overrun) == ("exhausted", False)
    assert kinds() == ["exhausted", "rotation_needed"]
    assert_books_balance()


def test_more_than_is_left_is_recorded_in_full_and_flagged(people):
    add_key("nvidia-1")
    allocation = allocate()
    charge = report(allocation, 5000)
    allocation.refresh_from_db()
    assert (charge.overrun, allocation.overrun, allocation.used) == (True, True, 5000)
    assert allocation.status_reason == "overrun by 4,000 tokens"
    window = Window.objects.get()
    assert (window.used, window.committed) == (5000, 0)
    assert_books_balance()


def test_usage_after_the_end_is_recorded_too(people):
    add_key("nvidia-1")
    allocation = allocate()
    complete(allocation)
    report(allocation, 300)
    allocation.refresh_from_db()
    assert (allocation.used, allocation.status) == (300, "completed")
    assert kinds() == []
    report(allocation, 800)
    assert kinds() == ["exhausted"]
    assert_books_balance()


def test_usage_falls_into_the_day_it_is_reported(people):
    add_key("nvidia-1")
    allocation = allocate(ttl_seconds=100_000)
    report(allocation, 100)
    report(allocation, 10, now=NOON + timedelta(days=1))
    assert [window.used for window in Window.objects.order_by("starts_at")] == [100, 10]
    assert_books_balance()


def test_a_process_whose_clock_is_behind_pays_into_the_window_that_is_open(people):
    add_key("nvidia-1")
    allocation = allocate(ttl_seconds=100_000)
    midnight = NOON + timedelta(hours=12)
    report(allocation, 100, now=midnight + timedelta(seconds=1))
    charge = report(allocation, 10, now=midnight - timedelta(seconds=1))
    assert charge.settled_at == midnight
    assert Window.objects.get(closed_at=None).used == 110
    assert_books_balance()


def test_what_cannot_be_is_refused(people):
    add_key("nvidia-1")
    allocation = allocate()
    with pytest.raises(WrongValue):
        report(allocation, 1, cached_tokens=2)
    with pytest.raises(AllocationNotFound):
        report(Allocation(pk=10**9), 1)
    assert not Charge.objects.exists()


@pytest.mark.parametrize(
    ("allocated", "most"),
    [(1_000, 1_000 + ANSWER), (500_000, 550_000), (30_000_000, 10**7)],
)
def test_a_report_is_bounded_by_what_is_left_and_a_margin(people, allocated, most):
    add_key("nvidia-1", per_day=None)
    allocation = allocate(tokens=allocated)
    with pytest.raises(ReportTooLarge) as refused:
        report(allocation, most + 1)
    assert refused.value.tokens_max == most
    assert f"{most:,} tokens" in refused.value.detail
    assert "spend and operate" in refused.value.detail
    report(allocation, most)
    assert_books_balance()


def test_many_reports_exceed_the_allocation_by_one_margin_in_all(people):
    add_key("nvidia-1")
    allocation = allocate()
    report(allocation, 1_000 + ANSWER - 1)
    report(allocation, 1)
    with pytest.raises(ReportTooLarge):
        report(allocation, 1)
    report(allocation, 0)
    assert Window.objects.get().used == 1_000 + ANSWER


def test_what_a_token_to_operate_reports_is_recorded_in_full(people):
    """S2: nobody takes a key out of service with a report, and no usage is lost."""
    add_key("nvidia-1")
    allocation = allocate()
    complete(allocation)
    with pytest.raises(ReportTooLarge):
        report(allocation, 10**12)
    assert Window.objects.get().used == 0
    report(allocation, 10**12, scopes=["operate"], now=NOON + timedelta(hours=2))
    assert Window.objects.get().used == 10**12
    assert_books_balance()


def test_searches_are_bounded_by_what_they_cost(people):
    add_key("openai-1", rates=replace(PAID, web_search=Decimal(10)))
    allocation = allocate()
    most = Decimal("0.015") * (1_000 + ANSWER) / 1000
    report(allocation, 0, web_searches=26)
    with pytest.raises(ReportTooLarge) as refused:
        report(allocation, 0, web_searches=1)
    assert refused.value.cost_max == most - Decimal("0.26")


def test_a_session_reports_until_some_minutes_after_its_end(people):
    add_key("nvidia-1")
    allocation = allocate()
    complete(allocation)
    ten_minutes = NOON + timedelta(minutes=10)
    report(allocation, 100, now=ten_minutes, idempotency_key="once")
    late = ten_minutes + timedelta(seconds=1)
    with pytest.raises(ReportTooLate) as refused:
        report(allocation, 1, now=late)
    assert refused.value.reports_until == ten_minutes
    assert report(allocation, 100, now=late, idempotency_key="once").tokens == 100


def test_a_session_that_calls_through_the_gateway_does_not_report_unless_allowed(people, settings):
    add_key("nvidia-1")
    allocation = allocate(wire_format="openai")
    report(allocation, 100)
    request = keys.HoldRequest(allocation.pk, 100, 100, "call", route="/v1/messages")
    settle(*keys.hold_many([request], now=NOON), 50)
    with pytest.raises(UsageIsMetered):
        report(allocation, 1)
    report(allocation, 10, scopes=["operate"])
    settings.REPORTS_BESIDE_GATEWAY = True
    report(allocation, 1)
    assert Allocation.objects.get().used == 161
    assert_books_balance()
