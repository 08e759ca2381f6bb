"""Raising alerts: what is stored, what is queued, what is not done twice."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from alerts import queries, services
from alerts.models import Alert, Notification
from keys import alert_kinds
from tests.alerts.builders import ADA, channel, raised, standing
from tests.moments import NOON
from tests.queue import queue_size

pytestmark = pytest.mark.django_db


def test_an_alert_keeps_what_it_was_raised_with():
    alert = raised(
        detail="76 % used", facts={"used": Decimal("7.5")}, key_id="nvidia-1", agent_id="ada"
    )
    alert.refresh_from_db()
    assert (alert.status, alert.severity, alert.raised_at) == ("open", "warning", NOON)
    assert (alert.key_id, alert.agent_id, alert.session_id) == ("nvidia-1", "ada", None)
    assert alert.facts == {"used": "7.5"}
    assert alert.detail == "76 % used"


def test_the_same_dedup_key_is_the_same_alert_until_it_is_resolved():
    first = raised()
    again, created = services.raise_alert(
        kind=alert_kinds.KEY_COOLING, dedup_key=first.dedup_key, title="again", now=NOON
    )
    assert (again.pk, created) == (first.pk, False)
    services.acknowledge(first.pk, actor=ADA, now=NOON)
    assert raised().pk == first.pk
    services.resolve(first.pk, actor=ADA, now=NOON)
    assert raised(now=NOON + timedelta(hours=1)).pk != first.pk
    assert (Alert.objects.count(), standing()) == (2, 1)


def test_a_standing_alert_costs_one_query(django_assert_num_queries):
    raised()
    with django_assert_num_queries(1):
        raised()


def test_the_database_refuses_a_second_standing_alert():
    alert = raised()
    alert.pk = None
    with pytest.raises(IntegrityError, match="alert_one_unresolved"), transaction.atomic():
        alert.save(force_insert=True)


def test_nothing_is_queued_when_there_is_no_channel():
    raised()
    assert queue_size() == 0


def test_each_channel_that_wants_the_alert_gets_one_queue_entry(webhook):
    all_of_it = channel(webhook.url, "all")
    channel(webhook.url, "critical only", severity_min="critical")
    channel(webhook.url, "other kinds", kinds=["exhausted"])
    this_kind = channel(webhook.url, "this kind", kinds=["exhausted", "rotation_needed"])
    services.disable_channel(channel(webhook.url, "off").pk, actor=ADA, now=NOON)
    alert = raised()
    raised()
    notifications = Notification.objects.filter(alert=alert)
    assert {notification.channel for notification in notifications} == {all_of_it, this_kind}
    assert queue_size() == 2


def test_a_rolled_back_transaction_raises_nothing_and_queues_nothing(webhook):
    channel(webhook.url)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        raised()
        1 / 0  # noqa: B018
    assert (Alert.objects.count(), Notification.objects.count(), queue_size()) == (0, 0, 0)


def test_open_alerts_come_the_most_severe_first_and_are_counted():
    info = raised(dedup_key="a", severity="info")
    old = raised(dedup_key="b", severity="critical")
    new = raised(dedup_key="c", severity="critical", now=NOON + timedelta(minutes=1))
    services.resolve(raised(dedup_key="d").pk, actor=ADA, now=NOON)
    assert list(queries.open_alerts()) == [new, old, info]
    assert queries.open_counts(queries.open_alerts()) == {"info": 1, "warning": 0, "critical": 2}
