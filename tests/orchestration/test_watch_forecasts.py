"""Running parts that leave their forecast are told once; nothing is stopped."""

from datetime import timedelta

import pytest

from alerts import services as alerts
from alerts.models import Alert
from orchestration import services
from orchestration.forecast_outlook import outlook_of
from orchestration.models import Attempt
from prediction.alert_kinds import ANOMALY_LOOP as LOOP
from prediction.models import Anomaly, Forecast, ForecastModel
from tests.actors import GRACE
from tests.dashboard.test_agents import signed_in
from tests.keys.builders import add_key, report
from tests.moments import NOON
from tests.orchestration.work import finish_attempt, submit_at_noon

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("used", "budget", "is_looping", "expected"),
    [
        (3_000, 9_000, False, ""),
        (3_001, 9_000, False, "above"),
        (5_000, 9_000, False, "above"),
        (5_001, 9_000, False, "hopeless"),
        (10, 9_000, True, "hopeless"),
        # The budget was too small from the beginning, and is nearly used.
        (810, 900, False, "hopeless"),
        (809, 900, False, ""),
        (950, 1_000, False, ""),
    ],
)
def test_how_a_part_stands_beside_its_forecast(used, budget, is_looping, expected):
    found = outlook_of(
        used=used, budget=budget, p50=1_000, p90=3_000, p99=5_000, is_looping=is_looping
    )
    assert found == expected


def started(**learned):
    """A part that runs, with this forecast."""
    add_key("nvidia-1")
    submit_at_noon("Audit the ledger", budget=20_000)
    [claimed] = services.claim(worker="one", most=1, now=NOON)
    figures = {"text_digest": b"x", "rule_tokens": 10, "tokens": 20_000, "created_at": NOON}
    Forecast.objects.create(session_id=claimed.session_id, agent="ada", **figures, **learned)
    services.lend(claimed, now=NOON)
    claimed.refresh_from_db()
    return claimed


@pytest.fixture
def attempt(people):
    """A part that was forecast to need 1,000 tokens, at most 3,000 and hardly above 5,000."""
    version = ForecastModel.objects.create(status="ready", started_at=NOON)
    return started(version=version, basis="text", p50=1_000, p90=3_000, p99=5_000)


def told():
    rows = Alert.objects.filter(kind__startswith="part_").order_by("pk")
    return list(rows.values_list("kind", "status"))


def use(attempt, tokens):
    attempt.allocation.refresh_from_db()
    report(attempt.allocation, tokens, now=NOON)


def test_a_part_is_told_of_once_and_again_when_it_looks_hopeless(attempt):
    use(attempt, 3_000)
    assert services.watch_forecasts(now=NOON) == 0
    use(attempt, 1_000)
    assert services.watch_forecasts(now=NOON + MINUTE) == 1
    assert services.watch_forecasts(now=NOON + 2 * MINUTE) == 0
    assert told() == [("part_above_forecast", "open")]
    use(attempt, 1_001)
    assert services.watch_forecasts(now=NOON + 3 * MINUTE) == 1
    assert services.watch_forecasts(now=NOON + 4 * MINUTE) == 0
    assert told() == [("part_above_forecast", "resolved"), ("part_hopeless", "open")]
    alert = Alert.objects.get(kind="part_hopeless")
    assert "has used 5,001 of" in alert.detail
    assert alert.facts["cost_centre"] == "research"
    # Nothing stopped by itself: a person has the button.
    attempt.refresh_from_db()
    assert (attempt.status, attempt.cancel_asked_at) == (Attempt.Status.RUNNING, None)
    shown = signed_in("olga", role="operator").get(alert.remedy_path).content.decode()
    assert "act=cancel" in shown
    finish_attempt(attempt, now=NOON + 5 * MINUTE)
    services.watch_forecasts(now=NOON + 6 * MINUTE)
    assert told()[1] == ("part_hopeless", "resolved")


def test_an_alert_that_a_person_resolved_does_not_come_back(attempt):
    use(attempt, 4_000)
    services.watch_forecasts(now=NOON)
    alerts.resolve(Alert.objects.get(kind="part_above_forecast").pk, actor=GRACE, now=NOON)
    assert services.watch_forecasts(now=NOON + MINUTE) == 0


def test_a_part_in_a_loop_looks_hopeless(attempt):
    alert, _ = alerts.raise_alert(kind=LOOP, dedup_key="loop", title="x", agent_id="ada", now=NOON)
    loop = {"kind": "loop", "subject": "agent:ada", "words": "x", "alert": alert}
    moments = {"began_at": NOON, "seen_at": NOON}
    seen = Anomaly.objects.create(**loop, **moments, evidence={"session": "another"})
    assert services.watch_forecasts(now=NOON) == 0
    Anomaly.objects.filter(pk=seen.pk).update(evidence={"session": attempt.session_id})
    assert services.watch_forecasts(now=NOON) == 1
    # The loop ends: no alert of less follows.
    use(attempt, 4_000)
    Anomaly.objects.update(ended_at=NOON)
    assert services.watch_forecasts(now=NOON + MINUTE) == 0


def test_without_a_learned_forecast_nothing_is_told(people):
    use(started(basis="rule"), 9_000)
    assert services.watch_forecasts(now=NOON) == 0
