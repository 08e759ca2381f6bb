"""Slices of usage, which the statements that end and adjust charges write."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib import import_module
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keys import services as keys
from keys.books.queries.charges import figures
from keys.books.queries.spend import SpendFilter, spend_over_time, spend_total
from keys.models import (
    MEASURES,
    Agent,
    Allocation,
    ApiKey,
    Charge,
    CostCentre,
    Organisation,
    Placement,
    UsageDay,
    UsageSlice,
)
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import (
    PAID,
    add_key,
    adjust,
    allocate,
    hold,
    limit,
    make_people,
    report,
    settle,
)
from tests.moments import NOON

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def session(people):
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    return allocate("ada", tokens=100_000, label="invoice-check")


def counted(moment=NOON):
    """The measures of the slice of a moment that are not zero."""
    found = UsageSlice.objects.get(starts_at=moment)
    return {name: value for name in MEASURES if (value := getattr(found, name))}


def hold_sent(allocation, tokens, *, now=NOON):
    """A hold of the gateway for a minute, which is charged if nobody ends it."""
    wanted = keys.HoldRequest(
        allocation.pk,
        tokens,
        tokens,
        f"sent-{Charge.objects.count()}",
        route="/v1/messages",
        ttl_seconds=60,
    )
    (held,) = keys.hold_many([wanted], now=now)
    return Charge.objects.get(pk=held.pk)


def expire(moment):
    """The sweep comes."""
    assert keys.expire_charges(now=moment) == 1


def test_a_settlement_counts_in_its_quarter_of_an_hour(session):
    settle(hold(session, 500), 400, output_tokens=20, now=NOON + timedelta(minutes=14, seconds=59))
    settle(hold(session, 500), 100, now=NOON + timedelta(minutes=15))
    (first, second) = UsageSlice.objects.order_by("starts_at")
    assert (first.starts_at, second.starts_at) == (NOON, NOON + timedelta(minutes=15))
    assert (first.api_key_id, first.agent_id, first.cost_centre_id, first.label, first.model) == (
        ("openai-1", "ada", "research", "invoice-check", "")
    )
    assert counted() == {
        "calls": 1,
        "input_tokens": 400,
        "output_tokens": 20,
        "tokens": 420,
        "cost": Decimal("0.0015"),
    }
    assert_books_balance()


def test_what_is_released_and_what_expires_is_counted(session):
    keys.release(charge=hold(session, 500), now=NOON)
    unsent = hold(session, 500, ttl_seconds=60)
    expire(NOON + timedelta(seconds=60))
    assert counted() == {"released": 1, "expired": 1}
    settle(unsent, 300, now=NOON + HOUR)
    assert counted() == {"released": 1, "expired": 1}
    assert counted(NOON + HOUR)["calls"] == 1
    assert_books_balance()


def test_what_an_expired_hold_was_charged_is_an_estimate_until_the_call_is_settled(session):
    sent = hold_sent(session, 500)
    expire(NOON + timedelta(seconds=60))
    estimate = Charge.objects.get().cost
    assert counted() == {
        "calls": 1,
        "tokens": 500,
        "cost": estimate,
        "estimated_calls": 1,
        "estimated_cost": estimate,
    }
    settle(sent, 600, now=NOON + 3 * HOUR)
    assert UsageSlice.objects.count() == 1
    assert counted() == {
        "calls": 1,
        "overruns": 1,
        "input_tokens": 600,
        "tokens": 600,
        "cost": Decimal("0.0018"),
    }
    assert_books_balance()


def test_an_expired_hold_that_is_released_late_counts_as_released(session):
    sent = hold_sent(session, 500)
    expire(NOON + timedelta(seconds=60))
    keys.release(charge=sent, now=NOON + HOUR)
    assert counted() == {"released": 1}
    assert spend_total(SpendFilter(NOON, NOON + HOUR)).calls == 0
    assert_books_balance()


def test_an_adjustment_counts_where_its_charge_does_and_replaces_an_estimate(session):
    sent = hold_sent(session, 500)
    expire(NOON + timedelta(seconds=60))
    for tokens in (300, 200):
        adjust(sent, tokens, now=NOON + 50 * HOUR)
        assert counted() == {
            "calls": 1,
            "input_tokens": tokens,
            "tokens": tokens,
            "cost": tokens * PAID.input / 1000,
        }
        assert_books_balance()


def test_what_the_provider_reports_is_summed_beside_the_cost(session):
    endings = [
        keys.Settlement(hold(session, 500), "settled", keys.Usage(input_tokens=10), provider_cost=c)
        for c in (Decimal("0.5"), None, Decimal(0))
    ]
    keys.settle_many(endings, now=NOON)
    assert (counted()["provider_cost"], counted()["provider_calls"]) == (Decimal("0.5"), 2)
    assert_books_balance()


def test_imported_charges_are_counted(people):
    add_key("nvidia-1", per_day=None)
    charges = [keys.ImportedCharge(tokens=n, settled_at=NOON + n * HOUR) for n in (1, 2)]
    lent = keys.ImportedAllocation(
        session_id="old-1",
        key_id="nvidia-1",
        status="completed",
        status_reason="",
        allocated=100,
        created_at=NOON,
        expires_at=NOON + HOUR,
        closed_at=NOON + HOUR,
        charges=charges,
    )
    books = keys.ImportedBooks(as_of=NOON, agent="ada", statuses={}, limits={}, allocations=[lent])
    with transaction.atomic():
        keys.import_books(books, actor=ACTOR, now=NOON)
    assert spend_total(SpendFilter(NOON, NOON + 9 * HOUR)).tokens == 3
    assert_books_balance()


def test_the_label_of_an_allocation_and_the_provider_of_a_key_stay(session):
    for rows, change in (
        (Allocation.objects, {"label": "other"}),
        (ApiKey.objects, {"provider": "nvidia"}),
    ):
        with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
            rows.update(**change)


def test_a_sum_of_a_slice_does_not_overflow(session):
    searches = keys.Usage(web_searches=1_000_000)
    for _ in range(3):
        keys.report_usage(allocation_id=session.pk, usage=searches, scopes=("operate",), now=NOON)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE keys_usageslice SET web_searches = 2147483647")
    keys.report_usage(allocation_id=session.pk, usage=searches, scopes=("operate",), now=NOON)
    assert counted()["web_searches"] > 2**31


def test_an_upgrade_fills_the_slices_from_what_was_settled_before(session):
    """The statement of the migration makes the slices that the statements of calls made."""
    settle(hold(session, 500), 400)
    adjust(report(session, 50), 40)
    hold(session, 500)
    for ending in (adjust, settle, None):
        sent = hold_sent(session, 300)
        expire(NOON + timedelta(seconds=60))
        if ending:
            ending(sent, 100, now=NOON + HOUR)
    hold(session, 300, ttl_seconds=60)
    expire(NOON + timedelta(seconds=60))
    keys.release(charge=hold(session, 500), now=NOON)
    before = list(UsageSlice.objects.order_by("starts_at").values())
    UsageSlice.objects.all().delete()
    place = Placement.objects.get(cost_centre="research").pk
    column = "ALTER TABLE keys_usageslice ALTER COLUMN placement_id"
    with connection.cursor() as cursor:
        # A later migration added the column.
        cursor.execute(f"{column} SET DEFAULT {place}")
        cursor.execute(import_module("keys.migrations.0023_usage_slices").FILL)
        cursor.execute(f"{column} DROP DEFAULT")
    assert list(UsageSlice.objects.order_by("starts_at").values()) == before
    assert_books_balance()


# Each begins its days on another minute of an hour, and the clocks of four change twice a year.
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham"]
# Nights in which the clock changes in one of them, and one in which a month ends.
NIGHTS = [date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 3, 31)]
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["settle", "settle", "report", "expire"]),
        # Minutes since noon before the night, some of them midnights.
        st.integers(60, 1_430) | st.sampled_from([719, 720, 870, 1_095, 1_335, 1_395]),
        st.integers(1, 900),
        st.sampled_from([None, None, 0, 37]),
    ),
    min_size=1,
    max_size=6,
)


# Shrinking takes minutes.
@settings(max_examples=30, derandomize=True, database=None, phases=[Phase.generate])
@given(zone=st.sampled_from(ZONES), night=st.sampled_from(NIGHTS), calls=CALLS)
def test_charges_slices_days_and_windows_add_up_to_the_same(zone, night, calls):
    # Not `atomic`: services do not run inside another transaction.
    before = transaction.savepoint()
    try:
        _spend(zone, night, calls)
    finally:
        transaction.savepoint_rollback(before)


def _spend(zone: str, night: date, calls: list) -> None:
    make_people()
    noon = datetime.combine(night - timedelta(days=1), time(12), UTC)
    Organisation.objects.update_or_create(pk=1, defaults={"reporting_zone": zone})
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    for subject in (
        ApiKey.objects.get(),
        Agent.objects.get(pk="ada"),
        CostCentre.objects.get(pk="org"),
    ):
        for period in ("day", "month"):
            limit(subject, 10**9, period=period, zone=zone, now=noon)
    session = allocate(tokens=100_000, now=noon, ttl_seconds=86_400)
    late = []
    for kind, minute, tokens, adjusted in sorted(calls, key=lambda call: call[1]):
        at = noon + timedelta(minutes=minute)
        charge = _call(session, kind, tokens, at)
        if adjusted is not None:
            adjust(charge, adjusted, now=at)
        elif kind == "expire":
            late.append((charge, tokens))
    _assert_adds_up(zone)
    keys.roll_up_usage()
    _assert_adds_up(zone)
    for charge, tokens in late:
        settle(charge, tokens, now=noon + 48 * HOUR)
    _assert_adds_up(zone)
    keys.roll_up_usage()
    _assert_adds_up(zone)
    assert _sums(UsageDay.objects) == _sums(UsageSlice.objects)


def _call(session: Allocation, kind: str, tokens: int, at: datetime) -> Charge:
    if kind == "report":
        return report(session, tokens, now=at, scopes=("operate",))
    if kind == "settle":
        charge = hold(session, 1_000, now=at)
        settle(charge, tokens, now=at)
        return charge
    charge = hold_sent(session, 1_000, now=at - HOUR)
    expire(at)
    return charge


def _assert_adds_up(zone: str) -> None:
    expected: dict[date, list] = {}
    for charge in Charge.objects.filter(status="settled"):
        day = expected.setdefault(charge.settled_at.astimezone(ZoneInfo(zone)).date(), [0, 0])
        day[0] += figures(charge)["tokens"]
        day[1] += figures(charge)["cost"]
    since = datetime.combine(min(expected) - timedelta(days=1), time(), ZoneInfo(zone))
    until = datetime.combine(max(expected) + timedelta(days=1), time(), ZoneInfo(zone))
    which = SpendFilter(since, until)
    days = spend_over_time(which, step="day", zone=ZoneInfo(zone))
    assert {day.starts: [day.spend.tokens, day.spend.cost] for day in days} == expected
    total = spend_total(which)
    assert [total.tokens, total.cost] == [
        sum(each) for each in zip(*expected.values(), strict=True)
    ]
    assert_books_balance()


def _sums(rows) -> dict:
    return rows.aggregate(**{name: Sum(name) for name in MEASURES})
