"""Acknowledging and resolving alerts."""

from datetime import timedelta

import pytest

from alerts import services
from alerts.models import Alert
from alerts.refusals import AlertNotFound, AlertResolved
from tests.alerts.builders import ADA, BOB, SWEEP, raised
from tests.moments import NOON

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(minutes=5)


def test_an_alert_is_acknowledged_and_then_resolved():
    alert = raised()
    services.acknowledge(alert.pk, actor=ADA, note="looking", now=NOON)
    services.resolve(alert.pk, actor=BOB, note="done", now=LATER)
    alert.refresh_from_db()
    assert alert.status == "resolved"
    assert (alert.acknowledged_at, alert.acknowledged_by, alert.acknowledged_note) == (
        NOON,
        "ada",
        "looking",
    )
    assert (alert.resolved_at, alert.resolved_by, alert.resolved_note) == (LATER, "bob", "done")


def test_acknowledging_twice_is_the_same_acknowledgement():
    alert = raised()
    assert services.acknowledge(alert.pk, actor=ADA, now=NOON)[1]
    again, is_new = services.acknowledge(alert.pk, actor=BOB, now=LATER)
    assert not is_new
    assert (again.acknowledged_by, again.acknowledged_at) == ("ada", NOON)


@pytest.mark.parametrize("verb", [services.acknowledge, services.resolve])
def test_a_resolved_alert_is_refused(verb):
    alert = raised()
    services.resolve(alert.pk, actor=ADA, now=NOON)
    with pytest.raises(AlertResolved) as refusal:
        verb(alert.pk, actor=BOB, now=LATER)
    assert refusal.value.code == "alert_resolved"
    assert Alert.objects.get(pk=alert.pk).resolved_by == "ada"


@pytest.mark.parametrize("verb", [services.acknowledge, services.resolve])
def test_an_unknown_alert_is_refused(verb):
    with pytest.raises(AlertNotFound) as refusal:
        verb(4711, actor=BOB, now=NOON)
    assert refusal.value.code == "alert_not_found"


def test_a_dedup_key_is_resolved_when_something_stands_under_it():
    alert = raised()
    assert services.resolve_by_key(alert.dedup_key, actor=SWEEP, now=LATER) == alert
    assert services.resolve_by_key(alert.dedup_key, actor=SWEEP, now=LATER) is None
    alert.refresh_from_db()
    assert alert.resolved_by == "sweep"
