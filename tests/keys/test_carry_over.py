"""Limits that carry over what a period leaves, up to a cap."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from hypothesis import example, given
from hypothesis import strategies as st

from keys import services as keys
from keys.books.queries.pages import budget_meters
from keys.limits import periods
from keys.limits.carry_over import carried_over
from keys.limits.periods import Calendar
from keys.limits.queries.budgets import monthly_budgets
from keys.limits.queries.spendable import spendable
from keys.models import Agent, CostCentre, Limit, Window
from keys.refusals import LimitReached, NoKeyCapacity, RotationRefused, WrongValue
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import add_key, adjust, allocate, limit, report, rotate
from tests.moments import NOON

MIDNIGHT = NOON + timedelta(hours=12)
AFTER = MIDNIGHT + timedelta(seconds=1)
DAY = timedelta(days=1)


@dataclass
class Terms:
    """A limit without a database."""

    period: str
    amount: Decimal
    carry_over_max: Decimal | None
    zone: str = "UTC"
    reset_hour: int = 0


@dataclass
class Ended:
    """A window that has ended, without a database."""

    ends_at: datetime
    amount: Decimal
    used: Decimal
    committed: Decimal


def by_hand(terms, ended, starts_at, calendar):
    """Period by period, as if each had been opened at its beginning."""
    carried = max(min(terms.carry_over_max, ended.amount - ended.used - ended.committed), 0)
    at = ended.ends_at
    while at < starts_at:
        _, at = bounds(terms, at, calendar)
        carried = max(min(terms.carry_over_max, terms.amount + carried - ended.committed), 0)
    return carried


def bounds(terms, at, calendar):
    return periods.bounds(
        period=terms.period,
        at=at,
        zone=terms.zone,
        reset_hour=terms.reset_hour,
        calendar=calendar,
    )


AMOUNTS = st.one_of(st.integers(0, 40), st.integers(0, 10**14)).map(Decimal)
USD = st.decimals(0, 100, places=9)
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia")
# Days on which a clock was set, or that a zone left out.
MOMENTS = st.sampled_from(
    [
        datetime(2026, 3, 28, 22, tzinfo=UTC),
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 4, 4, 10, tzinfo=UTC),
        datetime(2006, 10, 28, 20, tzinfo=UTC),
        datetime(2011, 12, 29, 8, tzinfo=UTC),
    ]
)


@st.composite
def turns(draw):
    """Terms, the window that ended, the one that begins, and the calendar."""
    number = draw(st.sampled_from([AMOUNTS, USD]))
    period = draw(st.sampled_from(periods.PERIODS[:-1]))
    terms = Terms(
        period,
        draw(number),
        draw(number),
        draw(st.sampled_from(ZONES)),
        0 if period == "hour" else draw(st.sampled_from([0, 2, 23])),
    )
    calendar = Calendar(draw(st.integers(0, 6)), draw(st.integers(1, 12)))
    since = draw(MOMENTS) + timedelta(minutes=draw(st.integers(-3000, 3000)))
    _, ends_at = bounds(terms, since, calendar)
    slept = timedelta(hours=draw(st.sampled_from([0, 1, 2, 30, 24 * 40, 24 * 500])))
    starts_at, _ = bounds(terms, ends_at + slept, calendar)
    ended = Ended(ends_at, draw(number), draw(number), draw(number))
    return terms, ended, max(starts_at, ends_at), calendar


@given(turns())
@example(
    (
        Terms("hour", Decimal(3), Decimal(10)),
        Ended(NOON, *map(Decimal, (3, 3, 1))),
        NOON + DAY,
        Calendar(),
    )
)
@example(
    (Terms("day", Decimal(5), Decimal(9)), Ended(NOON, *map(Decimal, (9, 0, 8))), NOON, Calendar())
)
def test_periods_that_nothing_opened_carry_over_as_if_each_had_been_opened(turn):
    terms, ended, starts_at, calendar = turn
    carried = carried_over(terms, ended, starts_at=starts_at, calendar=calendar)
    assert carried == by_hand(terms, ended, starts_at, calendar)
    assert 0 <= carried <= terms.carry_over_max


def test_periods_are_counted_no_further_than_the_amount_changes(monkeypatch):
    looks = []
    monkeypatch.setattr(periods, "bounds", lambda **when: looks.append(when) or (None, NOON))
    terms = Terms("hour", Decimal(10), Decimal(25))
    ended = Ended(NOON - DAY, Decimal(10), Decimal(10), Decimal(0))
    starts_at = NOON + 10_000 * DAY
    assert carried_over(terms, ended, starts_at=starts_at, calendar=Calendar()) == 25
    assert len(looks) == 3


@pytest.fixture
def ada(people):
    """Ada, with 10,000 tokens a day, of which up to 6,000 are carried over."""
    add_key("nvidia-1", per_day=None)
    agent = Agent.objects.get(pk="ada")
    limit(agent, 10_000, carry_over_max=6_000)
    return agent


def open_window():
    return Window.objects.get(scope="agent:ada", closed_at=None)


def use(tokens, *, now=NOON):
    """Ada uses so many tokens and gives the rest back."""
    allocation = allocate(tokens=tokens, now=now)
    return report(allocation, tokens, now=now)


def test_what_a_day_leaves_is_added_to_the_next_up_to_the_cap(ada):
    use(7_000)
    keys.open_windows(now=AFTER)
    window = open_window()
    assert (window.amount, window.carried, window.used) == (13_000, 3_000, 0)
    use(1_000, now=AFTER)
    keys.open_windows(now=AFTER + DAY)
    assert (open_window().amount, open_window().carried) == (16_000, 6_000)
    closed = Window.objects.filter(closed_at__isnull=False).order_by("pk")
    assert [(each.amount, each.carried, each.used) for each in closed] == [
        (10_000, 0, 7_000),
        (13_000, 3_000, 1_000),
    ]
    entry = AuditEntry.objects.filter(action="window.open").latest("pk")
    assert entry.after["carried"] == "6000"
    assert_books_balance()


def test_what_open_allocations_have_left_is_not_carried_over_but_counts_in_the_next_day(ada):
    report(allocate(tokens=8_000, ttl_seconds=100_000), 1_000)
    keys.open_windows(now=AFTER)
    window = open_window()
    assert (window.amount, window.carried, window.committed) == (12_000, 2_000, 7_000)
    assert window.free == 5_000
    assert_books_balance()


def test_overspending_is_no_debt(ada):
    allocation = allocate(tokens=10_000)
    report(allocation, 10_900)
    keys.open_windows(now=AFTER)
    assert (open_window().amount, open_window().carried) == (10_000, 0)
    assert_books_balance()


def test_the_first_request_of_the_day_may_take_what_was_carried_over(ada):
    use(7_000)
    assert allocate(tokens=13_000, now=AFTER)
    assert open_window().committed == 13_000
    assert_books_balance()


def test_a_refusal_at_the_turn_knows_what_was_carried_over(ada):
    use(7_000)
    with pytest.raises(LimitReached) as refusal:
        allocate(tokens=13_001, now=AFTER)
    (window,) = refusal.value.windows
    assert (window.amount, window.carried) == (13_000, 3_000)
    assert "13,000 (3,000 of it carried over from the last period)" in refusal.value.detail
    assert open_window().starts_at == MIDNIGHT
    assert_books_balance()


def test_what_was_carried_over_once_is_not_lent_before_the_next_turn_is_known(ada):
    keys.open_windows(now=AFTER)
    use(16_000, now=AFTER)
    # Nothing is left: the new day has its own amount only.
    with pytest.raises(LimitReached):
        allocate(tokens=10_001, now=AFTER + DAY)
    assert allocate(tokens=10_000, now=AFTER + DAY)
    assert_books_balance()


def test_an_api_key_lends_what_it_carried_over_from_the_turn_on(people):
    limit(add_key("nvidia-1", per_day=None), 50_000, carry_over_max=50_000)
    assert allocate(tokens=90_000, now=AFTER).api_key_id == "nvidia-1"
    with pytest.raises(NoKeyCapacity) as refusal:
        allocate("bob", tokens=20_000, now=AFTER)
    assert [window.carried for window in refusal.value.windows] == [50_000]
    assert_books_balance()


def test_a_session_is_rotated_at_the_turn_to_a_key_that_carried_over(people):
    add_key("nvidia-1", per_day=None)
    limit(add_key("nvidia-2", per_day=None, priority=-1), 50_000, carry_over_max=50_000)
    lent = allocate("bob", tokens=80_000, ttl_seconds=100_000)
    with pytest.raises(RotationRefused):
        rotate(lent)
    assert rotate(lent, now=AFTER).to_key_id == "nvidia-2"
    assert_books_balance()


def test_days_that_nothing_opened_carry_over_and_have_no_rows(ada):
    use(9_500)
    keys.open_windows(now=AFTER + 3 * DAY)
    assert (open_window().carried, Window.objects.filter(scope="agent:ada").count()) == (6_000, 2)
    assert_books_balance()


def test_an_adjustment_of_a_day_that_is_over_does_not_change_what_was_carried_over(ada):
    charge = use(7_000)
    keys.open_windows(now=AFTER)
    adjust(charge, 100, now=AFTER)
    assert (open_window().carried, open_window().amount) == (3_000, 13_000)
    adjust(charge, 9_900, now=AFTER)
    assert open_window().carried == 3_000
    assert_books_balance()


def test_a_changed_limit_keeps_what_was_carried_over_until_the_next_turn(ada):
    use(7_000)
    keys.open_windows(now=AFTER)
    limit(ada, 20_000, carry_over_max=6_000, now=AFTER)
    assert (open_window().amount, open_window().carried) == (23_000, 3_000)
    limit(ada, 1_000, now=AFTER)
    assert (open_window().amount, open_window().carried) == (4_000, 3_000)
    limit(ada, 1_000, zone="Asia/Tokyo", now=AFTER)
    assert (open_window().amount, open_window().carried) == (4_000, 3_000)
    keys.open_windows(now=AFTER + DAY)
    assert (open_window().amount, open_window().carried) == (1_000, 0)
    assert_books_balance()


def test_a_limit_that_begins_to_carry_over_does_so_with_the_day_that_runs(people):
    add_key("nvidia-1", per_day=None)
    agent = Agent.objects.get(pk="ada")
    limit(agent, 10_000)
    use(4_000)
    limit(agent, 10_000, carry_over_max=9_999)
    entry = AuditEntry.objects.filter(action="limit.set").latest("pk")
    assert (entry.before.get("carry_over_max"), entry.after["carry_over_max"]) == (None, "9999")
    keys.open_windows(now=AFTER)
    assert open_window().carried == 6_000
    keys.remove_limit(Limit.objects.get(removed_at=None), reason="test", actor=ACTOR, now=AFTER)
    limit(agent, 10_000, carry_over_max=9_999, now=AFTER)
    assert open_window().carried == 0
    assert_books_balance()


def test_grants_are_not_carried_over(ada):
    use(7_000)
    [meter] = budget_meters(Window.objects.all(), now=NOON)
    assert meter.free == 3_000


def test_meters_and_what_is_spendable_say_it_before_and_after_the_window_is_opened(ada):
    use(7_000)
    free = spendable(agent="ada", cost_centre="research", now=AFTER)
    assert (free.tokens, free.meters[0].carried) == (13_000, 3_000)
    [before] = budget_meters(Window.objects.all(), now=AFTER + 2 * DAY)
    keys.open_windows(now=AFTER + 2 * DAY)
    [after] = budget_meters(Window.objects.all(), now=AFTER + 2 * DAY)
    assert (before.amount, before.carried) == (after.amount, after.carried) == (16_000, 6_000)
    assert (before.starts_at, before.free) == (after.starts_at, after.free)


def test_a_monthly_budget_has_what_was_carried_over(people):
    research = CostCentre.objects.get(pk="research")
    limit(research, 50, unit="usd", period="month", carry_over_max="12.5")
    keys.open_windows(now=NOON + 30 * DAY)
    found = monthly_budgets(CostCentre.objects.all(), now=NOON + 30 * DAY)
    assert found == {"org": None, "research": Decimal("62.5"), "sales": None}


@pytest.mark.parametrize("cap", ["-1", "1.5", "NaN", "x", 10**15])
def test_a_cap_that_is_no_amount_is_refused(people, cap):
    with pytest.raises(WrongValue) as refusal:
        limit(Agent.objects.get(pk="ada"), 10, carry_over_max=cap)
    assert refusal.value.field == "carry_over_max"


def test_a_limit_in_total_carries_nothing_over(ada):
    with pytest.raises(WrongValue, match="never resets"):
        limit(ada, 10, period="total", carry_over_max=5)
    assert limit(ada, 10, period="total", carry_over_max=0).carry_over_max is None
    with pytest.raises(IntegrityError, match="carry_over"), transaction.atomic():
        Limit.objects.filter(period="total").update(carry_over_max=5)


def test_the_database_keeps_what_was_carried_over(ada):
    with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
        Window.objects.update(carried=1)
    with pytest.raises(IntegrityError, match="carried_is_part"), transaction.atomic():
        Window.objects.update(amount=-1)
