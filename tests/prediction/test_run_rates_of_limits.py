"""Paces are learned from slices, shown by pages, and told once in a window."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model

from alerts import services as alerts
from alerts.models import Alert, AlertRule
from keys import services as keys
from keys.models import MEASURES, Agent, ApiKey, CostCentre, Limit, Placement, UsageSlice, Window
from prediction import services as prediction
from prediction.models import RunRate
from prediction.queries.run_rates import last_hour, learned_paces
from tests.actors import GRACE
from tests.keys.builders import add_key, limit

pytestmark = pytest.mark.django_db
# A Monday.
NOW = datetime(2026, 3, 9, 9, 5, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def fleet(people):
    """ada works from eight to six, every day: 1,000 tokens and one dollar an hour."""
    add_key("nvidia-1", per_day=6_000)
    slices = []
    for day in range(57):
        for hour in range(8, 18):
            at = NOW.replace(hour=hour, minute=0) - day * DAY
            if at < NOW.replace(minute=0):
                slices.append(slice_of(at))
    UsageSlice.objects.bulk_create(slices)
    limit(Agent.objects.get(pk="ada"), 50_000, now=NOW)
    limit(CostCentre.objects.get(pk="org"), 5, unit="usd", now=NOW)
    Window.objects.filter(unit="tokens").update(used=1_000)
    Window.objects.filter(unit="usd").update(used=1)
    prediction.learn_paces(now=NOW)


def slice_of(at, tokens=1_000, cost=1):
    figures = dict.fromkeys(MEASURES, 0) | {"calls": 1, "tokens": tokens, "cost": Decimal(cost)}
    return UsageSlice(
        starts_at=at,
        api_key_id="nvidia-1",
        agent_id="ada",
        cost_centre_id="research",
        placement=Placement.objects.get(cost_centre="research"),
        **figures,
    )


def told():
    return sorted(Alert.objects.filter(kind="limit_runs_out").values_list("dedup_key", flat=True))


def test_keys_agents_centres_and_providers_have_a_pace(fleet):
    scopes = {"key:nvidia-1", "agent:ada", "centre:org", "provider:nvidia"}
    found = learned_paces(scopes | {"key:unknown"}, now=NOW)
    assert found.keys() == scopes
    for units in found.values():
        assert units["tokens"].pace.day.method == "hour_class"
        assert units["tokens"].pace.usual_day == 10_000
        assert units["usd"].pace.usual_day == 10
    assert learned_paces(scopes, now=NOW + 2 * DAY) == {}


def test_learning_again_replaces_and_forgets(fleet):
    before = RunRate.objects.count()
    prediction.learn_paces(now=NOW + timedelta(minutes=1))
    assert RunRate.objects.count() == before
    of_org = Limit.objects.get(cost_centre="org")
    keys.remove_limit(of_org, reason="x", actor=GRACE, now=NOW + HOUR)
    prediction.learn_paces(now=NOW + HOUR)
    assert not RunRate.objects.filter(scope="centre:org").exists()


def test_the_last_hour_of_each_is_that_of_its_slices(fleet):
    UsageSlice.objects.bulk_create([slice_of(NOW.replace(minute=0), 500, 2)])
    found = last_hour(now=NOW)
    # 50 minutes: from a quarter past eight on.
    for scope in ("key:nvidia-1", "agent:ada", "centre:research", "centre:org"):
        assert found[scope] == (Decimal(600), Decimal("2.4"))


def test_a_limit_that_will_not_last_is_told_once_in_its_window(fleet):
    # 5,000 tokens and 4 dollars are left at nine o'clock, and nine hours of work are to come.
    assert prediction.watch_limits(now=NOW) == 2
    assert prediction.watch_limits(now=NOW + HOUR) == 0
    key = Alert.objects.get(kind="limit_runs_out", key_id="nvidia-1")
    assert "nvidia-1 will be exhausted before its reset" in key.title
    assert "around 2026-03-09 14:0" in key.detail
    assert key.remedy_path.endswith(f"/{Window.objects.get(scope='key:nvidia-1').pk}/change/")
    centre = Alert.objects.get(kind="limit_runs_out", facts__cost_centre="org")
    assert centre.facts["unit"] == "usd"
    # A person resolves it: the same window is not told of again.
    alerts.resolve(key.pk, actor=GRACE, now=NOW + HOUR)
    assert prediction.watch_limits(now=NOW + 2 * HOUR) == 0
    # Nor after the cool-off: 500 are left at four o'clock, and there are two hours to come.
    Window.objects.filter(scope="key:nvidia-1").update(used=5_500)
    assert prediction.watch_limits(now=NOW + 7 * HOUR) == 0


def test_the_alert_ends_when_the_limit_is_raised_and_the_next_day_is_told_again(fleet):
    prediction.watch_limits(now=NOW)
    limit(ApiKey.objects.get(), 60_000, now=NOW)
    prediction.watch_limits(now=NOW + HOUR)
    assert Alert.objects.unresolved().get(kind="limit_runs_out").facts["cost_centre"] == "org"
    tomorrow = NOW + DAY
    keys.open_windows(now=tomorrow)
    Window.objects.filter(closed_at=None).update(used=1)
    prediction.learn_paces(now=tomorrow)
    assert prediction.watch_limits(now=tomorrow) == 1
    assert len(told()) == 3


def test_windows_that_follow_soon_are_told_of_once(fleet):
    Window.objects.all().update(used=0)
    limit(Agent.objects.get(pk="ada"), 300, period="hour", now=NOW)
    Window.objects.filter(limit__period="hour").update(used=10)
    assert prediction.watch_limits(now=NOW) == 3
    later = NOW + HOUR
    keys.open_windows(now=later)
    Window.objects.filter(limit__period="hour", closed_at=None).update(used=10)
    assert prediction.watch_limits(now=later) == 0


def test_keys_with_a_rule_of_a_person_are_told_by_that(fleet):
    AlertRule.objects.create(kind="key_runs_out", name="keys", figure=1, created_at=NOW)
    assert prediction.watch_limits(now=NOW) == 1
    assert not Alert.objects.filter(key_id="nvidia-1").exists()


def test_nothing_reads_charges(fleet, django_assert_max_num_queries):
    with django_assert_max_num_queries(60) as asked:
        prediction.learn_paces(now=NOW)
        prediction.watch_limits(now=NOW)
    assert not any("keys_charge" in each["sql"] for each in asked.captured_queries)


def test_pages_show_when_a_limit_is_used_up_and_between_which_moments(fleet, client):
    with time_machine.travel(NOW, tick=False):
        client.force_login(get_user_model().objects.create_superuser("olga"))
        key = client.get("/keys/nvidia-1").content.decode()
        [row] = client.get("/keys").context["table"].rows
        budget = client.get("/budgets/org").content.decode()
    assert "before its reset; four times in five" in " ".join(key.split())
    assert row["exhausted_at"].replace(second=0, microsecond=0) == NOW.replace(hour=14)
    assert "Used up" in budget and "four times in five" in budget
