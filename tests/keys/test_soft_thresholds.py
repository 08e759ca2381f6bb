"""Soft thresholds of budgets: each tells once in a window."""

from datetime import timedelta
from decimal import Decimal

import pytest

from alerts import services as alerts
from alerts.models import Alert
from keys import services as keys
from keys.models import Agent, CostCentre, Limit, ThresholdCrossing, Window
from keys.refusals import WrongValue
from security.models import AuditEntry
from tests.actors import ACTOR, GRACE
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, limit, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada(people):
    """Ada may spend 10,000 tokens a day."""
    add_key("nvidia-1", per_day=None)
    agent = Agent.objects.get(pk="ada")
    limit(agent, 10_000)
    return agent


def told(kind="agent_budget_threshold"):
    """The thresholds of the alerts that were raised, the oldest first."""
    found = Alert.objects.filter(kind=kind).order_by("pk")
    return [alert.facts["threshold"] for alert in found]


def standing():
    return sorted(a.facts["threshold"] for a in Alert.objects.unresolved() if "scope" in a.facts)


def spend(tokens, now=NOON):
    report(allocate(tokens=tokens, now=now, auto_rotate=False), tokens, now=now)


def set_to(agent, percents=(), amounts=(), now=NOON):
    return keys.set_thresholds(
        Limit.objects.get(agent=agent, removed_at=None),
        percents=percents,
        amounts=[Decimal(each) for each in amounts],
        reason="tell me earlier",
        actor=GRACE,
        now=now,
    )


def test_each_threshold_of_the_organisation_tells_once(ada):
    spend(7_999)
    assert told() == []
    spend(1)
    assert told() == ["80%"]
    spend(500)
    spend(1_500)
    assert told() == ["80%", "100%"]
    alert = Alert.objects.get(facts__threshold="80%")
    assert alert.agent_id == "ada"
    assert alert.title == "ada has reached 80% of its tokens this day"
    assert alert.remedy_path == "/budgets/agents/ada"
    assert_books_balance()


def test_a_resolved_alert_is_not_raised_again_in_the_same_window(ada):
    spend(8_000)
    alerts.resolve(Alert.objects.get(facts__threshold="80%").pk, actor=ACTOR, now=NOON)
    spend(100)
    assert keys.watch_thresholds(now=NOON) == 0
    assert told() == ["80%"]


def test_the_next_window_tells_again_and_the_alerts_of_the_last_are_resolved(ada):
    spend(8_000)
    tomorrow = NOON + timedelta(days=1)
    spend(100, now=tomorrow)
    keys.watch_thresholds(now=tomorrow)
    assert (told(), standing()) == (["80%"], [])
    spend(8_000, now=tomorrow)
    assert (told(), standing()) == (["80%", "80%"], ["80%"])


def test_a_list_of_its_own_has_percentages_and_amounts(ada):
    set_to(ada, percents=[25], amounts=["2500", "4000"])
    spend(2_500)
    assert sorted(told()) == ["25%", "2500"]
    spend(6_000)
    assert sorted(told()) == ["25%", "2500", "4000"]
    entry = AuditEntry.objects.filter(action="limit.set_thresholds").get()
    assert entry.subject == "agent:ada"
    assert (entry.before["percents"], entry.after["percents"]) == ("of the organisation", [25])


def test_an_empty_list_tells_nothing(ada):
    set_to(ada)
    spend(10_000)
    assert told() == []


def test_a_threshold_that_is_reached_when_it_is_set_is_told_by_the_job(ada):
    spend(6_000)
    set_to(ada, percents=[50, 90])
    assert told() == []
    assert keys.watch_thresholds(now=NOON) == 1
    assert keys.watch_thresholds(now=NOON) == 0
    assert told() == ["50%"]


def test_a_raised_limit_can_be_reached_again_and_its_alert_is_resolved(ada):
    spend(8_000)
    limit(ada, 20_000)
    assert standing() == []
    spend(7_999)
    assert told() == ["80%"]
    spend(1)
    assert told() == ["80%", "80%"]
    assert ThresholdCrossing.objects.filter(ended_at=None).count() == 1


def test_a_limit_raised_below_the_usage_keeps_what_was_told(ada):
    set_to(ada, percents=[50])
    spend(8_000)
    limit(ada, 12_000)
    spend(100)
    assert (told(), standing()) == (["50%"], ["50%"])


def test_a_lowered_limit_is_told_by_the_job_though_nothing_can_be_spent(ada):
    spend(5_000)
    limit(ada, 5_000)
    assert keys.watch_thresholds(now=NOON) == 2
    assert told() == ["80%", "100%"]


def test_other_percentages_of_the_organisation_count_at_once(ada):
    keys.change_organisation(
        budget_threshold_percents=[10], actor=GRACE, reason="earlier", now=NOON
    )
    spend(1_000)
    assert told() == ["10%"]


def test_a_budget_in_dollars_of_a_cost_centre_names_it(people):
    add_key("nvidia-1", per_day=None, rates=PAID)
    keys.set_thresholds(
        limit(CostCentre.objects.get(pk="research"), 1, unit="usd", period="month"),
        percents=[10],
        amounts=[Decimal("0.15"), Decimal("0.16")],
        reason="cents",
        actor=GRACE,
        now=NOON,
    )
    spend(50_000)
    assert told("budget_threshold") == ["10%", "0.15"]
    alert = Alert.objects.filter(kind="budget_threshold").first()
    assert alert.facts["cost_centre"] == "research"
    assert alert.remedy_path == "/budgets/research"


def test_limits_of_api_keys_have_none(people):
    limit(add_key("nvidia-1", per_day=None), 1_000_000)
    spend(90_000)
    assert Window.objects.get().next_threshold is None
    with pytest.raises(WrongValue):
        keys.set_thresholds(
            Limit.objects.get(), percents=[1], amounts=[], reason="x", actor=GRACE, now=NOON
        )


@pytest.mark.parametrize(
    ("percents", "amounts"),
    [([0], []), ([1001], []), (range(1, 30), []), ([], ["0"]), ([], ["1.5"]), ([], ["NaN"])],
)
def test_thresholds_that_mean_nothing_are_refused(ada, percents, amounts):
    with pytest.raises(WrongValue):
        set_to(ada, percents=percents, amounts=amounts)


def test_settlements_at_once_raise_one_alert_of_each(ada, at_once):
    allocation = allocate(tokens=10_000, auto_rotate=False)
    at_once(lambda _: report(allocation, 100), times=100)
    assert sorted(told()) == ["100%", "80%"]
    assert_books_balance()
