"""Snoozing alerts: they are aside until a moment, and tell nobody before it."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from alerts import jobs, services
from alerts.models import Alert, Notification
from alerts.refusals import AlertResolved, AlertSnoozed, SnoozeOutOfRange
from alerts.services.snooze import SNOOZE_MAX
from keys.alert_kinds import KEY_BROKEN, KEY_COOLING
from tests.alerts.builders import ADA, BOB, channel, raised, recorded
from tests.moments import NOON
from tests.queue import drain_queue

pytestmark = pytest.mark.django_db
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
LATER = NOON + HOUR


def snooze(alert, **changes):
    asked = {"until": LATER, "actor": ADA, "note": "on holiday", "now": NOON} | changes
    return services.snooze(alert.pk, **asked)


def stage(alert, now):
    alert.refresh_from_db()
    [found] = [each for each in Alert.Stage if alert in Alert.objects.at_stage(each.value, now)]
    assert found == alert.stage_at(now)
    return found.value


@pytest.mark.parametrize("before", ["open", "acknowledged"])
def test_a_snoozed_alert_comes_back_as_what_it_was_without_any_job(before):
    alert = raised()
    if before == "acknowledged":
        services.acknowledge(alert.pk, actor=BOB, now=NOON)
    assert snooze(alert)[1]
    assert stage(alert, LATER - SECOND) == "snoozed"
    assert stage(alert, LATER) == before


def test_who_snoozes_until_when_and_why_is_recorded():
    alert = raised()
    snooze(alert)
    services.end_snooze(alert.pk, actor=BOB, note="back early", now=NOON)
    snoozed = {"status": "open", "snoozed_until": "2026-03-10T13:00:00Z"}
    assert recorded(alert.address) == [
        ("alert.snooze", "ada", {"status": "open"}, snoozed),
        ("alert.end_snooze", "bob", snoozed, {"status": "open"}),
    ]


def test_the_same_snooze_again_is_the_same_and_another_is_refused_with_who_was_first():
    alert = raised()
    snooze(alert)
    assert snooze(alert, actor=BOB) == (alert, False)
    with pytest.raises(AlertSnoozed, match="already snoozed by ada, until 2026-03-10 13:00 UTC"):
        snooze(alert, actor=BOB, until=LATER + HOUR)
    assert stage(alert, LATER) == "open"
    assert snooze(alert, actor=BOB, until=LATER + HOUR, now=LATER)[1]


def test_a_snooze_is_ended_once():
    alert = raised()
    snooze(alert)
    assert services.end_snooze(alert.pk, actor=BOB, now=NOON)[1]
    assert not services.end_snooze(alert.pk, actor=ADA, now=NOON)[1]
    assert stage(alert, NOON) == "open"


@pytest.mark.parametrize("until", [NOON, NOON - HOUR, NOON + SNOOZE_MAX + SECOND])
def test_a_snooze_ends_in_the_next_year(until):
    alert = raised()
    with pytest.raises(SnoozeOutOfRange):
        snooze(alert, until=until)
    assert stage(alert, NOON) == "open"


def test_a_resolved_alert_is_not_snoozed_and_a_snoozed_one_can_be_resolved():
    alert = raised()
    snooze(alert)
    services.resolve(alert.pk, actor=BOB, now=NOON)
    assert stage(alert, NOON) == "resolved"
    with pytest.raises(AlertResolved, match="by bob"):
        snooze(alert)


@pytest.mark.parametrize("wrong", [{"snoozed_by": ""}, {"status": "resolved", "resolved_at": NOON}])
def test_the_database_refuses_a_snooze_without_a_name_or_of_a_resolved_alert(wrong):
    alert = raised()
    snooze(alert)
    with pytest.raises(IntegrityError, match="alert_snoozed"), transaction.atomic():
        Alert.objects.update(**wrong)


def test_a_more_severe_alert_takes_the_place_of_a_snoozed_one_and_another_of_the_same_does_not():
    alert = raised(kind=KEY_COOLING, detail="429", facts={"times": 3})
    snooze(alert)
    raised(kind=KEY_COOLING, detail="429 again")
    assert stage(alert, NOON) == "snoozed"
    assert alert.detail == "429"
    worse, is_new = services.raise_alert(
        kind=KEY_BROKEN, dedup_key=alert.dedup_key, title="It is broken", now=NOON
    )
    assert is_new and worse.pk != alert.pk
    assert (worse.severity, stage(worse, NOON)) == ("critical", "open")
    assert stage(alert, NOON) == "resolved"
    assert alert.resolved_note == "It is broken"
    assert recorded(alert.address)[-1][:2] == ("alert.resolve", "a more severe alert")
    # What is less severe changes nothing.
    assert raised(kind=KEY_COOLING).pk == worse.pk


@pytest.mark.django_db(transaction=True)
def test_a_worse_alert_reaches_who_only_wants_the_worst(webhook):
    channel(webhook.url, severity_min="critical")
    raised(kind=KEY_COOLING)
    drain_queue()
    assert webhook.messages == []
    raised(kind=KEY_BROKEN)
    raised(kind=KEY_BROKEN)
    drain_queue()
    assert len(webhook.messages) == 1


@pytest.mark.django_db(transaction=True)
def test_no_notification_of_a_snoozed_alert_is_sent_before_it_comes_back(webhook):
    channel(webhook.url)
    snoozed, other = raised(), raised(dedup_key="other", title="Another one")
    snooze(snoozed)
    waiting = Notification.objects.get(alert=snoozed)
    services.deliver(waiting.pk, now=NOON)
    assert webhook.messages == []
    # Nor does it keep the others waiting.
    services.retry_due(now=NOON + timedelta(minutes=1))
    services.deliver(Notification.objects.get(alert=other).pk, now=NOON)
    assert [message["title"] for message in webhook.messages] == ["[warning] Another one"]
    services.deliver(waiting.pk, now=LATER)
    assert len(webhook.messages) == 2


@pytest.mark.django_db(transaction=True)
def test_who_was_told_before_is_told_again_when_the_snooze_is_over(webhook):
    channel(webhook.url)
    alert = raised()
    drain_queue()
    snooze(alert)
    assert services.end_due_snoozes(now=LATER - SECOND) == 0
    assert [services.end_due_snoozes(now=LATER) for _ in range(2)] == [1, 0]
    drain_queue()
    assert len(webhook.messages) == 2
    assert recorded(alert.address)[-1][:2] == ("alert.end_snooze", "end of snoozes")


@pytest.mark.django_db(transaction=True)
def test_the_job_brings_back_what_is_due_and_nothing_that_was_resolved(webhook):
    first, second = raised(), raised(dedup_key="second")
    for alert in (first, second):
        snooze(alert)
    services.resolve(second.pk, actor=BOB, now=NOON)
    assert jobs.end_snoozes() == 1
    assert not Alert.objects.exclude(snoozed_until=None).exists()
