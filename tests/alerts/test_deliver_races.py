"""Several workers at once: a message goes out once, a silent service holds one worker only."""

import threading
import time
from queue import Empty, Queue

import pytest
from django.db import connection

from alerts import services
from alerts.models import Notification
from tests.alerts.builders import channel, raised
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)


def workers(count, notification_ids):
    """Start so many threads that deliver these, one after the other; the threads."""
    waiting = Queue()
    for notification_id in notification_ids:
        waiting.put(notification_id)

    def run():
        try:
            while True:
                services.deliver(waiting.get_nowait(), now=NOON)
        except Empty:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_twenty_runs_of_one_delivery_send_one_message(webhook):
    channel(webhook.url)
    raised()
    for thread in workers(20, [Notification.objects.get().pk] * 20):
        thread.join()
    assert len(webhook.messages) == 1
    assert (Notification.objects.get().status, Notification.objects.get().attempts) == ("sent", 1)


def test_a_silent_service_holds_one_of_two_workers(webhook, tarpit_url, monkeypatch):
    monkeypatch.setattr("alerts.apprise_transport._READ_SECONDS", 4)
    channel(tarpit_url, "tarpit")
    channel(webhook.url, "alive")
    for number in range(5):
        raised(dedup_key=str(number))
    silent_first = Notification.objects.order_by("channel__name", "pk").reverse()
    began = time.monotonic()
    threads = workers(2, list(silent_first.values_list("pk", flat=True)))
    sent = Notification.objects.filter(status="sent")
    while sent.count() < 5 and time.monotonic() - began < 4:
        time.sleep(0.05)
    assert time.monotonic() - began < 3
    assert (sent.count(), len(webhook.messages)) == (5, 5)
    assert Notification.objects.sending().get().channel.name == "tarpit"
    for thread in threads:
        thread.join()
    assert Notification.objects.filter(channel__name="tarpit", attempts__gt=0).count() == 1
