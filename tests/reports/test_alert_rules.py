"""The kinds of rules over usage: what each finds, and what it does not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from alerts import rules
from alerts.rules import Watch
from keys import services as keys
from keys.models import MEASURES, ApiKey, CostCentre, Placement, UsageSlice, Window
from tests.actors import GRACE
from tests.keys.builders import add_key, limit

pytestmark = pytest.mark.django_db
# A Friday.
NOW = datetime(2026, 3, 20, 12, 20, tzinfo=UTC)
WEEK, HOUR, DAY = timedelta(weeks=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def fleet(people):
    add_key("nvidia-1", per_day=None)


def used(at, cost, *, of="research", tokens=1000, **measures):
    """What a slice of ada has."""
    figures = dict.fromkeys(MEASURES, 0) | {"calls": 1, "tokens": tokens, "cost": cost} | measures
    UsageSlice.objects.create(
        starts_at=at,
        api_key_id="nvidia-1",
        agent_id="ada",
        cost_centre_id=of,
        placement=Placement.objects.get(cost_centre=of),
        **figures,
    )


def find(slug, figure=None, centre="", now=NOW):
    kind = rules.all_kinds()[slug]
    figure = Decimal(kind.default if figure is None else figure)
    return list(kind.find(Watch(figure=figure, cost_centre=centre, now=now)))


def usual(cost, hours_ago=1, weeks=(1, 2, 3, 4)):
    for number in weeks:
        used(NOW.replace(minute=0) - hours_ago * HOUR - number * WEEK, Decimal(cost))


def test_an_hour_far_above_the_same_hour_of_the_weekday_is_a_spike():
    usual(4)
    used(NOW.replace(minute=15) - HOUR, Decimal(13))
    [spike] = find("spend_spike")
    assert "325 % of the usual" in spike.title
    assert "Most of it: ada $13.00." in spike.detail
    assert spike.facts["cost_centre"] == "org"
    assert find("spend_spike", 326) == []
    assert find("spend_spike", centre="sales") == []
    assert find("spend_spike", centre="research")[0].facts["cost_centre"] == "research"


def test_without_a_habit_and_of_cents_there_is_no_spike():
    used(NOW.replace(minute=0) - HOUR, Decimal(100))
    usual(1, weeks=(2,))
    assert find("spend_spike") == []
    UsageSlice.objects.all().delete()
    usual("0.01")
    used(NOW.replace(minute=0) - HOUR, Decimal("0.99"))
    assert find("spend_spike") == []


def test_other_hours_and_weekdays_do_not_count():
    usual(4, hours_ago=2)
    used(NOW.replace(minute=0) - HOUR, Decimal(100))
    assert find("spend_spike") == []


def test_the_hour_is_that_of_the_wall_also_when_summer_time_begins():
    keys.change_organisation(reporting_zone="Europe/Berlin", actor=GRACE, reason="x", now=NOW)
    now = datetime(2026, 4, 3, 12, 20, tzinfo=UTC)  # 14:20 in Berlin; before 29 March it is 13:20
    used(datetime(2026, 4, 3, 11, 0, tzinfo=UTC), Decimal(50))
    for day in (6, 13, 20):
        used(datetime(2026, 3, day, 12, 0, tzinfo=UTC), Decimal(4))
    assert len(find("spend_spike", now=now)) == 1


def budget(amount, of="research"):
    return limit(
        CostCentre.objects.get(pk=of), amount, unit="usd", period="month", now=NOW - 30 * DAY
    )


def test_a_month_that_lands_above_its_budget_is_found():
    for number in range(1, 29):
        used(NOW - number * DAY, Decimal(10))
    budget(300)
    keys.open_windows(now=NOW)
    [found] = find("budget_landing", 30)
    assert found.facts["cost_centre"] == "research"
    assert found.key == "centre:research:usd:2026-03-01"
    assert "of $300" in found.title
    assert find("budget_landing", 1000) == []
    assert find("budget_landing", 30, centre="sales") == []
    assert len(find("budget_landing", 30, centre="org")) == 1


@pytest.mark.parametrize(
    ("period", "amount", "key"),
    [
        ("day", 90, "2026-03-20:day"),
        ("week", 500, "2026-03-16:week"),
        ("quarter", 2_000, "2026-01-01:quarter"),
        ("year", 20_000, "2026-01-01:year"),
    ],
)
def test_a_budget_of_each_period_of_a_day_or_longer_is_watched(period, amount, key):
    for number in range(1, 29):
        used(NOW - number * DAY, Decimal(100))
    research = CostCentre.objects.get(pk="research")
    for each, much in ((period, amount), ("hour", 1), ("total", 1)):
        limit(research, much, unit="usd", period=each, now=NOW - 200 * DAY)
    keys.open_windows(now=NOW)
    Window.objects.filter(closed_at=None).update(used=50)
    [found] = find("budget_landing", 50)
    assert found.key == f"centre:research:usd:{key}"
    assert found.title.endswith(f"this {period}")
    assert "four times in five" in found.detail
    assert find("budget_landing", 1000) == []


def test_at_the_beginning_of_a_period_only_what_is_nearly_sure_is_told():
    for number in range(1, 29):
        # 100 a day on average, from 20 to 180.
        used(NOW - number * DAY, Decimal(20 if number % 2 else 180))
    research = CostCentre.objects.get(pk="research")
    limit(research, 90, unit="usd", period="day", now=NOW - DAY)
    midnight = NOW.replace(hour=0, minute=0) + DAY
    keys.open_windows(now=midnight)
    first = midnight + timedelta(seconds=5)
    assert find("budget_landing", now=first) == []
    assert find("budget_landing", now=midnight + 2 * HOUR) == []
    # What is spent counts, and what would be above it in all likelihood.
    assert len(find("budget_landing", 10, now=first)) == 0
    Window.objects.filter(closed_at=None).update(used=91)
    assert len(find("budget_landing", now=first)) == 1
    Window.objects.filter(closed_at=None).update(used=40)
    assert len(find("budget_landing", now=midnight + 6 * HOUR)) == 1
    assert find("budget_landing", now=midnight + 18 * HOUR) == []


def test_what_was_carried_over_is_part_of_the_budget():
    for number in range(1, 29):
        used(NOW - number * DAY, Decimal(10))
    research = CostCentre.objects.get(pk="research")
    limit(research, 200, unit="usd", period="month", carry_over_max=200, now=NOW - 30 * DAY)
    keys.open_windows(now=NOW)
    assert find("budget_landing") == []
    limit(research, 50, unit="usd", period="month", carry_over_max=200, now=NOW)
    assert find("budget_landing") == []
    assert len(find("budget_landing", 40)) == 1


def test_without_history_nothing_lands():
    budget(1)
    assert find("budget_landing", 1) == []


def test_a_key_that_is_out_before_its_reset_is_found():
    limit(ApiKey.objects.get(), 10_000, now=NOW)
    used(NOW.replace(minute=0), Decimal(0), tokens=2_000)
    # 5 hours last until 17:20, and the day ends at midnight.
    [found] = find("key_runs_out", 6)
    assert found.key_id == "nvidia-1"
    assert "2026-03-20 17:20 UTC" in found.title
    assert find("key_runs_out", 7) == []


def test_a_large_share_of_estimates_is_found():
    used(NOW.replace(minute=0) - 2 * HOUR, Decimal(9))
    used(
        NOW.replace(minute=0) - HOUR,
        Decimal(1),
        estimated_calls=1,
        estimated_cost=Decimal(1),
        tokens=1,
        of="sales",
    )
    [found] = find("estimated_share")
    assert found.title == "10.0 % of the cost of the organisation is estimated"
    assert find("estimated_share", 10) == []
    assert find("estimated_share", centre="research") == []
    assert find("estimated_share", now=NOW + 2 * DAY) == []


@pytest.mark.parametrize("slug", sorted(rules.all_kinds()))
def test_rules_take_few_queries_and_none_of_charges(slug, django_assert_max_num_queries):
    with django_assert_max_num_queries(9) as asked:
        find(slug)
    assert not any("keys_charge" in each["sql"] for each in asked.captured_queries)
