"""Sending a notification again: a delivery of its own that names the first."""

import pytest

from alerts import services
from alerts.models import Notification
from alerts.refusals import ChannelDisabled, NotificationNotFound, NotificationUnfinished
from security.models import AuditEntry
from tests.alerts.builders import ADA, channel, raised
from tests.moments import NOON
from tests.queue import drain_queue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(webhook):
    """An alert that was told to a webhook; its notification."""
    ops = channel(webhook.signed_url)
    services.rotate_signing_secret(ops.pk, actor=ADA, now=NOON)
    raised()
    drain_queue()
    return Notification.objects.get()


def again(notification, reason="they lost it"):
    return services.send_again(notification.pk, actor=ADA, reason=reason, now=NOON)


def test_it_is_sent_as_a_delivery_of_its_own_that_names_the_first(webhook, sent):
    second = again(sent)
    drain_queue()
    second.refresh_from_db()
    assert (second.status, second.again_of) == ("sent", sent)
    first_message, second_message = webhook.messages
    assert "again_of" not in first_message["data"]
    assert second_message["data"]["again_of"] == str(sent.delivery_id)
    ids = [headers["webhook-id"] for _, headers in webhook.requests]
    assert ids == [str(sent.delivery_id), str(second.delivery_id)]
    assert len(set(ids)) == 2
    third = again(second)
    assert third.again_of == sent


def test_who_sent_it_again_and_why_is_in_the_audit(sent):
    second = again(sent)
    entry = AuditEntry.objects.about(sent.alert.address).get(action="notification.send_again")
    assert (entry.actor, entry.reason) == (str(ADA), "they lost it")
    assert entry.after == {"notification": second.pk, "again_of": sent.pk}


def test_what_is_still_to_be_sent_is_not_sent_again(webhook, sent):
    second = again(sent)
    for each in (second, sent):
        with pytest.raises(NotificationUnfinished) as refused:
            again(each)
        assert refused.value.notification_id == second.pk
    drain_queue()
    assert len(webhook.messages) == 2


def test_a_disabled_channel_or_an_unknown_notification_is_refused(sent):
    with pytest.raises(NotificationNotFound):
        services.send_again(sent.pk + 1, actor=ADA, now=NOON)
    services.disable_channel(sent.channel_id, actor=ADA, now=NOON)
    with pytest.raises(ChannelDisabled):
        again(sent)


def test_of_several_people_at_once_one_sends_it_again(sent, at_once):
    def ask(_):
        try:
            return again(sent).pk
        except NotificationUnfinished:
            return None

    asked = at_once(ask, times=5)
    assert len([each for each in asked if each]) == 1
    assert Notification.objects.count() == 2
