"""Fifty threads, one alert."""

import pytest
from django.db import transaction

from alerts import services
from alerts.models import Alert, Notification
from keys.alert_kinds import SESSION_EXHAUSTED
from tests.alerts.builders import SWEEP, channel, raised
from tests.moments import NOON
from tests.queue import queue_size

pytestmark = pytest.mark.django_db(transaction=True)


def raise_it(number):
    """Raise the same alert inside a transaction of one's own."""
    with transaction.atomic():
        return services.raise_alert(
            kind=SESSION_EXHAUSTED,
            dedup_key="exhausted:nvidia-1",
            title=f"by thread {number}",
            now=NOON,
        )


def test_fifty_raisers_make_one_alert_and_one_set_of_notifications(webhook, at_once):
    channel(webhook.url, "one")
    channel(webhook.url, "two")
    answers = at_once(raise_it, times=50)
    assert {alert.pk for alert, _ in answers} == {Alert.objects.get().pk}
    assert sum(created for _, created in answers) == 1
    assert (Notification.objects.count(), queue_size()) == (2, 2)


def test_a_raiser_that_rolls_back_leaves_the_alert_to_another(at_once):
    def sometimes(number):
        with transaction.atomic():
            answer = raise_it(number)
            if number % 2:
                raise ZeroDivisionError
            return answer

    answers = at_once(sometimes, times=20)
    kept = [answer for answer in answers if not isinstance(answer, Exception)]
    assert len(kept) == 10
    assert sum(created for _, created in kept) == 1
    assert Alert.objects.count() == 1


def test_raising_while_it_is_resolved_never_leaves_two_or_fails(at_once):
    raised(dedup_key="exhausted:nvidia-1")

    def raise_or_resolve(number):
        if number % 3:
            return raise_it(number)
        return services.resolve_by_key("exhausted:nvidia-1", actor=SWEEP, now=NOON)

    answers = at_once(raise_or_resolve, times=30)
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert Alert.objects.unresolved().count() <= 1
