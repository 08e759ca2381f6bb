"""Whole tasks are shown beside what was forecast for their parts."""

from decimal import Decimal

import pytest

from orchestration import services
from orchestration.models import Attempt, Task
from orchestration.queries.task_forecasts import task_forecasts
from prediction.models import Forecast, ForecastModel
from tests.dashboard.test_agents import signed_in
from tests.keys.builders import add_key
from tests.moments import NOON
from tests.orchestration.work import finish_attempt, submit_at_noon

pytestmark = pytest.mark.django_db
PATH = "/reports/forecasts"


@pytest.fixture
def task(people):
    """A task of two parts that were forecast to need 1,000 tokens each, at most 4,000 and 5,000."""
    add_key("nvidia-1")
    task = submit_at_noon("Audit the ledger", "Write the report", budget=40_000)
    version = ForecastModel.objects.create(status="ready", started_at=NOON)
    for claimed, p90 in zip(
        services.claim(worker="one", most=2, now=NOON), (4_000, 5_000), strict=True
    ):
        Forecast.objects.create(
            session_id=claimed.session_id,
            agent="ada",
            text_digest=b"x",
            rule_tokens=10,
            version=version,
            basis="text",
            p50=1_000,
            p90=p90,
            p99=9_000,
            tokens=10_000,
            created_at=NOON,
        )
        services.lend(claimed, now=NOON)
        claimed.refresh_from_db()
        finish_attempt(claimed, used=2_500)
    task.refresh_from_db()
    return task


def test_a_task_needs_what_its_parts_need(task):
    [found] = task_forecasts([task])
    assert (found.parts, found.attempts, found.p50, found.p90) == (2, 2, 2_000, 7_000)
    assert found.tokens == 5_000
    assert task_forecasts([]) == []


def test_costs_of_forecasts_are_at_the_price_of_what_was_used(task):
    [found] = task_forecasts([task])
    priced = found._replace(cost=Decimal("0.5"))
    assert (priced.cost_p50, priced.cost_p90) == (Decimal("0.2"), Decimal("0.7"))
    assert priced._replace(tokens=0).cost_p50 is None


def test_a_task_with_a_part_that_had_no_learned_forecast_is_left_out(
    task, django_assert_num_queries
):
    with django_assert_num_queries(2):
        assert len(task_forecasts([task])) == 1
    other = submit_at_noon("Audit the ledger again", budget=40_000)
    services.lend(services.claim(worker="one", most=1, now=NOON)[0], now=NOON)
    assert Attempt.objects.filter(task=other).exists()
    assert [each.task for each in task_forecasts([other, task])] == [task]


def test_the_page_shows_tasks_that_ended_to_those_who_see_them(task):
    assert task.status in Task.ENDED
    shown = signed_in("vera", role="viewer").get(PATH).content.decode()
    assert f"/tasks/{task.pk}" in shown
    bound = signed_in("ruth", role="viewer", of="sales").get(PATH).content.decode()
    assert f"/tasks/{task.pk}" not in bound
