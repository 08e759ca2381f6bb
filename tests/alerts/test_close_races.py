"""Several people act on one alert at once: one changes it, the others learn what that one did."""

from datetime import timedelta

import pytest

from alerts import services
from alerts.models import Alert, Notification
from alerts.refusals import AlertRaisedAgain, AlertResolved, AlertSnoozed
from security.actor import Actor
from security.models import AuditEntry
from tests.alerts.builders import ADA, channel, raised
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


def by(number):
    return {"actor": Actor.person(f"person-{number}"), "now": NOON}


def test_of_many_who_acknowledge_one_does_and_all_see_who(at_once):
    alert = raised()
    answers = at_once(lambda number: services.acknowledge(alert.pk, **by(number)), times=20)
    assert sum(done for _, done in answers) == 1
    assert len({found.acknowledged_by for found, _ in answers}) == 1
    assert AuditEntry.objects.filter(action="alert.acknowledge").count() == 1


def test_of_many_who_resolve_one_does_and_the_others_are_told_who(at_once):
    alert = raised()
    answers = at_once(lambda number: services.resolve(alert.pk, **by(number)), times=20)
    refused = [answer for answer in answers if isinstance(answer, AlertResolved)]
    assert len(refused) == 19
    assert {refusal.resolved_by for refusal in refused} == {Alert.objects.get().resolved_by}


def test_of_many_who_snooze_until_different_moments_one_does(at_once):
    alert = raised()

    def snooze(number):
        return services.snooze(alert.pk, until=NOON + (number + 1) * HOUR, **by(number))

    answers = at_once(snooze, times=20)
    refused = [answer for answer in answers if isinstance(answer, AlertSnoozed)]
    alert.refresh_from_db()
    assert len(refused) == 19
    assert {refusal.snoozed_until for refusal in refused} == {alert.snoozed_until}


def test_an_alert_is_reopened_or_raised_again_but_never_both(at_once):
    alert = raised()
    services.resolve(alert.pk, actor=ADA, now=NOON)

    def reopen_or_raise(number):
        return services.reopen(alert.pk, **by(number)) if number % 2 else raised()

    answers = at_once(reopen_or_raise, times=20)
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(answer, AlertRaisedAgain) for answer in failed)
    assert Alert.objects.unresolved().count() == 1


def test_a_snooze_that_is_over_is_told_once_by_any_number_of_jobs(at_once, webhook):
    channel(webhook.url)
    alert = raised()
    Notification.objects.update(status="sent", sent_at=NOON)
    services.snooze(alert.pk, until=NOON + HOUR, actor=ADA, now=NOON)
    ended = at_once(lambda number: services.end_due_snoozes(now=NOON + HOUR), times=10)
    assert sum(ended) == 1
    assert Notification.objects.filter(alert=alert, status="queued").count() == 1
