"""Setting, changing and removing limits."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from keys import services as keys
from keys.models import Agent, CostCentre, Limit, Window
from keys.refusals import LimitReached, NoKeyCapacity, WrongValue
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, hold, limit, report, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db


def open_window(scope):
    """The open window of a scope with one limit."""
    return Window.objects.get(scope=scope, closed_at=None)


def remove(in_force, *, now=NOON):
    """End a limit."""
    keys.remove_limit(in_force, reason="no more", actor=ACTOR, now=now)


def test_a_new_limit_counts_what_was_used_and_committed_before_it(people):
    add_key("openai-1", rates=PAID, per_day=None)
    allocation = allocate(tokens=20_000)
    report(allocation, 3_000)
    settle(hold(allocation, 2_000), 1_000)
    hold(allocation, 500)
    ada = Agent.objects.get(pk="ada")
    limit(ada, 100_000)
    window = open_window("agent:ada")
    assert (window.used, window.committed) == (4_000, 16_000)
    limit(allocation.api_key, 5, unit="usd", period="month")
    window = open_window("key:openai-1")
    assert (window.used, window.committed) == (Decimal("0.012"), Decimal("0.288"))
    assert_books_balance()


@pytest.mark.parametrize("is_new", [True, False])
def test_a_process_whose_clock_is_behind_counts_what_others_settled_in_the_next_period(
    people, is_new
):
    midnight = datetime(2026, 3, 11, tzinfo=UTC)
    add_key("openai-1", per_day=None)
    ada = Agent.objects.get(pk="ada")
    if not is_new:
        limit(ada, 100_000, reset_hour=5)
    report(allocate(ttl_seconds=500_000), 300, now=midnight)
    limit(ada, 100_000, now=midnight - timedelta(seconds=1))
    assert open_window("agent:ada").used == 300
    keys.open_windows(now=midnight + timedelta(hours=1))
    assert open_window("agent:ada").used == 300
    assert_books_balance()


def test_a_limit_set_again_is_changed_and_its_window_with_it(people):
    api_key = add_key("nvidia-1", per_day=30_000)
    allocate(tokens=20_000)
    with pytest.raises(NoKeyCapacity):
        allocate(tokens=20_000)
    limit(api_key, 40_000)
    assert Limit.objects.count() == 1
    assert allocate(tokens=20_000)
    assert_books_balance()


def test_lowering_below_what_is_committed_blocks_and_breaks_nothing(people):
    """O46."""
    add_key("nvidia-1")
    ada = Agent.objects.get(pk="ada")
    limit(ada, 50_000)
    allocation = allocate(tokens=40_000)
    limit(ada, 10_000)
    with pytest.raises(LimitReached):
        allocate(tokens=1)
    assert open_window("agent:ada").free == -30_000
    # An allocation made before can still be used.
    report(allocation, 40_000)
    assert_books_balance()


def test_a_usd_limit_that_is_overdrawn_still_lets_free_keys_through(people):
    add_key("openai-1", rates=PAID, priority=9)
    add_key("nvidia-1")
    ada = Agent.objects.get(pk="ada")
    limit(ada, 1, unit="usd")
    assert allocate(tokens=20_000).api_key_id == "openai-1"
    limit(ada, "0.10", unit="usd")
    assert allocate(tokens=20_000).api_key_id == "nvidia-1"
    assert_books_balance()


def test_a_changed_calendar_counts_again_and_stays_one_window(people):
    api_key = add_key("nvidia-1")
    allocation = allocate(tokens=20_000, ttl_seconds=100_000)
    report(allocation, 100, now=datetime(2026, 3, 10, 14, 0, tzinfo=UTC))
    report(allocation, 10, now=datetime(2026, 3, 10, 15, 30, tzinfo=UTC))
    # In Tokyo the 11th begins at 15:00.
    limit(api_key, 500_000, zone="Asia/Tokyo", now=datetime(2026, 3, 10, 16, 0, tzinfo=UTC))
    window = open_window("key:nvidia-1")
    assert window.starts_at == datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
    assert (window.used, window.committed, window.amount) == (10, 19_890, 500_000)
    assert_books_balance()


def test_usage_at_the_very_moment_of_a_change_is_counted_once(people):
    api_key = add_key("nvidia-1")
    allocation = allocate(tokens=20_000)
    report(allocation, 10)
    limit(api_key, 500_000, zone="Asia/Tokyo")
    report(allocation, 10)
    remove(limit(api_key, 500_000))
    report(allocation, 10)
    limit(api_key, 500_000)
    assert open_window("key:nvidia-1").used == 30
    assert_books_balance()


def test_a_change_does_not_affect_the_window_of_a_period_that_has_ended(people):
    api_key = add_key("nvidia-1", per_day=50_000)
    report(allocate(tokens=20_000), 700)
    limit(api_key, 90_000, zone="Asia/Tokyo", now=NOON + timedelta(days=1))
    over = Window.objects.exclude(closed_at=None).get()
    assert (over.amount, over.used) == (50_000, 700)
    assert open_window("key:nvidia-1").used == 0
    assert_books_balance()


def test_a_removed_limit_has_no_effect_and_its_windows_stay(people):
    add_key("nvidia-1")
    sales = limit(CostCentre.objects.get(pk="sales"), 15_000)
    allocate("carol", tokens=15_000)
    with pytest.raises(LimitReached):
        allocate("carol", tokens=15_000)
    remove(sales)
    remove(sales)
    assert allocate("carol", tokens=15_000)
    assert Window.objects.filter(scope="centre:sales").count() == 1
    assert AuditEntry.objects.about("centre:sales").filter(action__startswith="limit.").count() == 2
    assert_books_balance()


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("amount", {"amount": -1}),
        ("amount", {"amount": "1.5"}),
        ("amount", {"amount": "NaN"}),
        ("amount", {"amount": "sNaN"}),
        ("amount", {"amount": "Infinity"}),
        ("amount", {"amount": "1e30"}),
        ("amount", {"amount": "1e30", "unit": "usd"}),
        ("amount", {"amount": "0.0000000001", "unit": "usd"}),
        ("amount", {"amount": "much"}),
        ("unit", {"amount": 1, "unit": "eur"}),
        ("period", {"amount": 1, "period": "decade"}),
        ("reset_hour", {"amount": 1, "period": "hour", "reset_hour": 3}),
        ("zone", {"amount": 1, "zone": "Mars/Olympus"}),
        ("reset_hour", {"amount": 1, "reset_hour": 24}),
    ],
)
def test_what_cannot_be_is_refused_and_the_field_is_named(people, field, terms):
    with pytest.raises(WrongValue) as refusal:
        limit(Agent.objects.get(pk="ada"), **terms)
    assert refusal.value.field == field
    assert not Limit.objects.exists()


def test_every_change_is_in_the_history_with_before_and_after(people):
    ada = Agent.objects.get(pk="ada")
    limit(ada, 10)
    limit(ada, 20)
    limit(ada, 20)
    changes = AuditEntry.objects.filter(action="limit.set").order_by("id")
    name = "tokens_per_day"
    amounts = [(c.before and c.before[name], c.after[name]) for c in changes]
    assert amounts == [(None, "10"), ("10", "20")]
