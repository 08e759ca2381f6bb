"""When a provider's figure differs, and when purchases have been at a bound for long."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.moments import NOON
from treasury.at_ceiling import Bought, ceiling_reached
from treasury.balances.compare import difference, differs, is_beyond
from treasury.models import PurchasePolicy


@pytest.mark.parametrize(
    ("amount", "ledger", "transit", "found"),
    [
        ("100", "100", "0", "0"),
        ("140", "100", "40", "0"),
        ("120", "100", "40", "0"),
        ("150", "100", "40", "10"),
        # Money in transit explains no credit that is missing.
        ("90", "100", "40", "-10"),
    ],
)
def test_money_in_transit_may_be_credit_already(amount, ledger, transit, found):
    assert difference(
        Decimal(amount), ledger=Decimal(ledger), in_transit=Decimal(transit)
    ) == Decimal(found)


@pytest.mark.parametrize(
    ("found", "ledger", "beyond"),
    [("1", "50", False), ("1.01", "50", True), ("-1.01", "50", True), ("9", "1000", False)],
)
def test_the_tolerance_is_one_dollar_and_one_percent(found, ledger, beyond):
    assert is_beyond(Decimal(found), ledger=Decimal(ledger)) is beyond


def reading(amount):
    return Decimal(amount), Decimal(100), Decimal(0)


@pytest.mark.parametrize(
    ("latest", "expected"),
    [
        (["110"], False),
        (["110", "100"], False),
        (["110", "110"], True),
        (["90", "110"], False),
        (["90", "90"], True),
    ],
)
def test_it_differs_if_it_does_so_twice_in_one_direction(latest, expected):
    assert differs([reading(each) for each in latest]) is expected


POLICY = PurchasePolicy(daily_max=Decimal(100), cool_off_seconds=3600, zone="America/St_Johns")


def every(minutes, count, *, amount=10, status="credited"):
    moments = [NOON - timedelta(minutes=minutes * number) for number in range(count)]
    return [Bought(at, Decimal(amount), status) for at in reversed(moments)]


def test_purchases_at_the_pace_of_the_cool_off_are_seen():
    """akash-network/console #3814: 78 reloads every 61 minutes, which nobody saw."""
    assert "6 purchases" in ceiling_reached(POLICY, every(61, 78, amount=1), now=NOON)
    assert "6 purchases" in ceiling_reached(POLICY, every(61, 6, status="needs_person"), now=NOON)
    assert "6 purchases" in ceiling_reached(POLICY, every(61, 6, status="declined"), now=NOON)


def test_five_purchases_or_slower_ones_are_none():
    assert not ceiling_reached(POLICY, every(61, 5), now=NOON)
    assert not ceiling_reached(POLICY, every(120, 8), now=NOON)


def test_it_is_over_when_the_pace_is_over():
    assert not ceiling_reached(POLICY, every(61, 8), now=NOON + timedelta(hours=3))


def days(count, amount, *, status="credited"):
    noon = datetime(2026, 3, 10, 12, tzinfo=ZoneInfo(POLICY.zone))
    first = [noon - timedelta(days=number) for number in range(count)]
    return [Bought(at, Decimal(amount), status) for at in reversed(first)], noon


def test_three_days_at_the_bound_are_seen_and_two_are_not():
    bought, noon = days(3, 95)
    assert "3 days" in ceiling_reached(POLICY, bought, now=noon)
    # The fourth day has only begun.
    assert "3 days" in ceiling_reached(POLICY, bought, now=noon + timedelta(hours=13))
    assert not ceiling_reached(POLICY, bought, now=noon + timedelta(hours=37))
    assert not ceiling_reached(POLICY, days(2, 100)[0], now=noon)
    assert not ceiling_reached(POLICY, days(3, 94)[0], now=noon)


def test_declined_money_does_not_count_for_the_day():
    bought, noon = days(3, 100, status="declined")
    assert not ceiling_reached(POLICY, bought, now=noon)
