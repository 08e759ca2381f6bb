"""Delivering notifications: over real HTTP, to services that listen, fail, and never answer."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ, Task

from alerts import apprise_transport, jobs, services
from alerts.models import Alert, Channel, Notification
from alerts.services import enqueue
from alerts.services.deliver import ATTEMPTS_MAX, claim, record_failure
from alerts.services.retry import LOST_SECONDS
from keys.alert_kinds import ROTATION_NEEDED
from tests.alerts.builders import ADA, SECRET, channel, raised
from tests.moments import NOON
from tests.queue import drain_queue, queue_size

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def quick(monkeypatch):
    """Lets a silent service be silent for two seconds only."""
    monkeypatch.setattr("alerts.apprise_transport._READ_SECONDS", 2)


def only():
    """The one notification there is."""
    return Notification.objects.get()


def retried(now):
    """What the minute's job and the queue do at `now`."""
    services.retry_due(now=now)
    for entry in OrmQ.objects.filter(key="butler"):
        services.deliver(entry.task["args"][0], now=now)
        entry.delete()


def test_an_alert_reaches_a_webhook(webhook):
    channel(webhook.url)
    alert = raised(detail="76 % used", key_id="nvidia-1")
    tasks = drain_queue()
    assert [task["success"] for task in tasks] == [True]
    [message] = webhook.messages
    assert message["title"] == "[warning] Session s-1 needs another key"
    assert "76 % used" in message["message"]
    assert ROTATION_NEEDED.meaning in message["message"]
    assert f"What to do: {ROTATION_NEEDED.remedy}" in message["message"]
    assert "nvidia-1" in message["message"]
    assert f"/alerts/{alert.pk}" in message["message"]
    assert (only().status, only().attempts, only().last_error) == ("sent", 1, "")
    assert queue_size() == 0


def test_an_alert_reaches_a_mail_server(mail_server):
    port, mails = mail_server
    channel(f"mailto://127.0.0.1:{port}/?from=butler@example.org&to=ops@example.org&mode=insecure")
    raised()
    drain_queue()
    assert only().status == "sent", only().last_error
    assert "Session s-1 needs another key" in mails[0]


def test_a_second_run_of_the_job_sends_nothing(webhook):
    channel(webhook.url)
    raised()
    drain_queue()
    jobs.deliver(only().pk)
    assert len(webhook.messages) == 1


def test_a_test_message_shows_its_result_as_a_delivery(webhook, closed_url):
    services.test_channel(channel(webhook.url).pk, actor=ADA, now=NOON)
    services.test_channel(channel(closed_url, "dead").pk, actor=ADA, now=NOON)
    drain_queue()
    assert webhook.messages[0]["title"] == "Butler: test message"
    statuses = dict(Notification.objects.values_list("channel__name", "status"))
    assert statuses == {"ops": "sent", "dead": "given_up"}


def test_a_service_that_says_no_is_tried_again_and_then_takes_it(webhook, caplog):
    channel(webhook.url)
    webhook.status = 503
    raised()
    services.deliver(only().pk, now=NOON)
    failed = only()
    assert (failed.status, failed.attempts) == ("failed", 1)
    assert failed.last_error == str(apprise_transport.NotDelivered())
    assert "503" in caplog.text
    assert NOON + 15 * SECONDS <= failed.next_attempt_at <= NOON + 30 * SECONDS
    OrmQ.objects.all().delete()
    retried(NOON + 10 * SECONDS)
    assert only().attempts == 1
    webhook.status = 200
    retried(NOON + 31 * SECONDS)
    assert (only().status, only().attempts, only().last_error) == ("sent", 2, "")


def test_a_message_that_no_service_accepts_is_given_up_after_the_last_attempt(closed_url):
    channel(closed_url, severity_min="critical")
    raised(severity="critical")
    OrmQ.objects.all().delete()
    for hour in range(ATTEMPTS_MAX + 3):
        retried(NOON + hour * HOUR)
    assert (only().status, only().attempts) == ("given_up", ATTEMPTS_MAX)


def test_a_channel_that_keeps_failing_raises_one_alert_until_it_works(webhook):
    channel(webhook.url)
    webhook.status = 500
    raised()
    OrmQ.objects.all().delete()
    for hour in range(5):
        retried(NOON + hour * HOUR)
    dead = Alert.objects.get(kind="channel_failing")
    assert "ops" in dead.title
    webhook.status = 200
    retried(NOON + 6 * HOUR)
    dead.refresh_from_db()
    assert dead.status == "resolved"
    assert Channel.objects.get().failures == 0


def test_the_failure_alert_of_a_channel_that_is_changed_or_disabled_is_resolved(
    webhook, closed_url
):
    for repair in ("url", "disable"):
        dead = channel(closed_url, repair, severity_min="critical")
        raised(dedup_key=repair, severity="critical")
        for hour in range(3):
            retried(NOON + hour * HOUR)
        assert Alert.objects.unresolved().filter(dedup_key=dead.failing_key).exists()
        if repair == "url":
            services.change_channel_url(dead.pk, url=webhook.url, actor=ADA, now=NOON)
        else:
            services.disable_channel(dead.pk, actor=ADA, now=NOON)
        assert not Alert.objects.unresolved().filter(dedup_key=dead.failing_key).exists()


def test_what_waited_for_a_day_is_given_up(closed_url):
    channel(closed_url)
    raised()
    services.retry_due(now=NOON + 25 * HOUR)
    assert (only().status, only().last_error) == ("given_up", "Given up after 24 hours.")


@pytest.mark.usefixtures("quick")
def test_a_dead_channel_delays_no_other(webhook, closed_url, tarpit_url):
    for url, name in ((tarpit_url, "tarpit"), (closed_url, "closed"), (webhook.url, "alive")):
        channel(url, name)
    for number in range(10):
        raised(dedup_key=str(number))
    drain_queue()
    assert len(webhook.messages) == 10
    # One attempt on each dead channel, then it rests: not 10 times the silence.
    for name in ("tarpit", "closed"):
        attempts = Notification.objects.filter(channel__name=name, attempts__gt=0)
        assert [attempt.status for attempt in attempts] == ["failed"]


def test_a_channel_sends_one_message_at_a_time(webhook):
    channel(webhook.url)
    first, second = raised(dedup_key="1"), raised(dedup_key="2")
    assert claim(first.notifications.get().pk, now=NOON)
    assert claim(first.notifications.get().pk, now=NOON) is None
    assert claim(second.notifications.get().pk, now=NOON) is None


def test_a_success_sends_the_next_that_waits(webhook):
    channel(webhook.url)
    raised(dedup_key="1")
    raised(dedup_key="2")
    OrmQ.objects.all().delete()
    services.retry_due(now=NOON)
    assert queue_size() == 1
    drain_queue()
    assert len(webhook.messages) == 2


def test_a_message_one_service_never_takes_does_not_block_the_rest(webhook):
    channel(webhook.url)
    raised(dedup_key="bad")
    bad = only()
    webhook.status = 400
    services.deliver(bad.pk, now=NOON)
    OrmQ.objects.all().delete()
    good = raised(dedup_key="good")
    assert Channel.objects.get().next_due(NOON + HOUR).alert == good


def test_a_delivery_lost_with_its_worker_is_picked_up(webhook):
    channel(webhook.url)
    raised()
    OrmQ.objects.all().delete()
    assert claim(only().pk, now=NOON)  # and the worker dies here
    retried(NOON + (LOST_SECONDS - 1) * SECONDS)
    assert (only().status, len(webhook.messages)) == ("sending", 0)
    retried(NOON + (LOST_SECONDS + 1) * SECONDS)
    assert only().status == "failed"
    retried(NOON + (LOST_SECONDS + 60) * SECONDS)
    assert (only().status, only().attempts) == ("sent", 2)


def test_a_worker_that_comes_back_late_does_not_overwrite_the_next_attempt(webhook):
    channel(webhook.url)
    raised()
    late = claim(only().pk, now=NOON)
    services.retry_due(now=NOON + HOUR)
    assert claim(only().pk, now=NOON + 2 * HOUR).attempts == 2
    record_failure(late, error="too late", now=NOON + 2 * HOUR)
    assert (only().status, only().attempts) == ("sending", 2)
    assert "too late" not in only().last_error


def test_a_service_that_trickles_is_ended_by_the_queue(trickling_url, monkeypatch):
    monkeypatch.setattr(enqueue, "DELIVERY_SECONDS", 1)
    channel(trickling_url)
    raised(now=timezone.now())
    began = time.monotonic()
    [task] = drain_queue()
    assert time.monotonic() - began < 3
    assert not task["success"]
    assert (only().status, queue_size()) == ("sending", 0)
    services.retry_due(now=only().claimed_at + HOUR)
    assert only().status == "failed"


def test_nothing_is_sent_inside_a_transaction(webhook, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "alerts.apprise_transport.send", lambda *a, **k: seen.append(connection.in_atomic_block)
    )
    channel(webhook.url)
    raised()
    drain_queue()
    assert seen == [False]


def test_disabling_a_channel_gives_up_what_waits(webhook):
    ops = channel(webhook.url)
    raised()
    services.disable_channel(ops.pk, actor=ADA, now=NOON)
    drain_queue()
    assert (only().status, webhook.messages) == ("given_up", [])


def test_the_url_is_in_no_error_task_or_queue_entry(closed_url, tarpit_url, caplog, quick):
    caplog.set_level("DEBUG")
    channel(closed_url, "closed")
    channel(tarpit_url, "tarpit")
    raised()
    entries = [repr(entry.task) for entry in OrmQ.objects.all()]
    drain_queue()
    errors = [notification.last_error for notification in Notification.objects.all()]
    # Nothing tells a port that no server listens on from a server that is silent.
    assert errors == [str(apprise_transport.NotDelivered())] * 2
    rows = [repr(task.__dict__) for task in Task.objects.all()]
    for text in [*entries, *errors, *rows, caplog.text]:
        assert SECRET not in text
    assert "127.0.0.1" not in "".join(errors)
