"""Fifty threads, one alert."""

import threading

import pytest
from django.db import connection, transaction

from alerts import services
from alerts.models import Alert, Notification
from tests.alerts.builders import SWEEP, channel, raised
from tests.moments import NOON
from tests.queue import queue_size

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(times, call):
    """Call in so many threads, each with its own connection; their answers (exceptions too)."""
    start, answers = threading.Barrier(times), []

    def run(number):
        start.wait()
        try:
            answers.append(call(number))
        except Exception as error:  # noqa: BLE001  (an answer like any other)
            answers.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def raise_it(number):
    """Raise the same alert inside a transaction of one's own."""
    with transaction.atomic():
        return services.raise_alert(
            kind="exhausted",
            severity="critical",
            dedup_key="exhausted:nvidia-1",
            title=f"by thread {number}",
            now=NOON,
        )


def test_fifty_raisers_make_one_alert_and_one_set_of_notifications(webhook):
    channel(webhook.url, "one")
    channel(webhook.url, "two")
    answers = at_once(50, raise_it)
    assert {alert.pk for alert, _ in answers} == {Alert.objects.get().pk}
    assert sum(created for _, created in answers) == 1
    assert (Notification.objects.count(), queue_size()) == (2, 2)


def test_a_raiser_that_rolls_back_leaves_the_alert_to_another():
    def sometimes(number):
        with transaction.atomic():
            answer = raise_it(number)
            if number % 2:
                raise ZeroDivisionError
            return answer

    answers = at_once(20, sometimes)
    kept = [answer for answer in answers if not isinstance(answer, Exception)]
    assert len(kept) == 10
    assert sum(created for _, created in kept) == 1
    assert Alert.objects.count() == 1


def test_raising_while_it_is_resolved_never_leaves_two_or_fails():
    raised(dedup_key="exhausted:nvidia-1")

    def raise_or_resolve(number):
        if number % 3:
            return raise_it(number)
        return services.resolve_by_key("exhausted:nvidia-1", actor=SWEEP, now=NOON)

    answers = at_once(30, raise_or_resolve)
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert Alert.objects.unresolved().count() <= 1
