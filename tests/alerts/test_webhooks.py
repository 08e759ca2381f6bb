"""Signed webhooks: what a receiver verifies with the library of Standard Webhooks."""

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from alerts import services
from alerts.models import Channel, Notification, SigningSecret
from alerts.refusals import ChannelNotSigned, ChannelUrlUnusable
from alerts.services.channels import SECRETS_OVERLAP
from keys.own_secrets import OwnSecrets
from security import services as security
from security.models import AuditEntry
from tests.alerts.builders import ADA, SECRET, channel, raised
from tests.moments import NOON
from tests.queue import drain_queue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def signed(webhook):
    """A signed webhook, and its secret."""
    ops = channel(webhook.signed_url)
    return ops, rotated(ops)


def rotated(ops, now=None):
    return services.rotate_signing_secret(ops.pk, actor=ADA, now=now or timezone.now())


def test_a_receiver_verifies_an_alert_with_the_secret_that_was_shown(webhook, signed):
    _, secret = signed
    alert = raised(detail="76 % used", key_id="nvidia-1", facts={"used": 76})
    drain_queue()
    [(body, headers)] = webhook.requests
    message = Webhook(secret).verify(body, headers)
    assert message["type"] == "alert"
    assert message["data"] == message["data"] | {
        "id": alert.pk,
        "kind": "rotation_needed",
        "severity": "warning",
        "status": "open",
        "detail": "76 % used",
        "key_id": "nvidia-1",
        "facts": {"used": 76},
    }
    row = Notification.objects.get()
    assert headers["webhook-id"] == str(row.delivery_id)
    assert (row.status, row.answer) == ("sent", "HTTP 200")


def test_a_changed_message_or_another_secret_is_not_verified(webhook, signed):
    raised()
    drain_queue()
    [(body, headers)] = webhook.requests
    other = rotated(channel(webhook.signed_url, "other"))
    for secret, changed in ((signed[1], body.replace(b"s-1", b"s-2")), (other, body)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(changed, headers)


def test_for_a_day_after_a_rotation_both_secrets_verify(webhook, signed):
    ops, first = signed
    second = rotated(ops)
    raised()
    drain_queue()
    [(body, headers)] = webhook.requests
    assert Webhook(first).verify(body, headers) == Webhook(second).verify(body, headers)
    later = timezone.now() + SECRETS_OVERLAP
    valid = [security.unseal_from(each, "sealed") for each in ops.signing_secrets.valid(later)]
    assert valid == [second]


def test_the_same_message_is_tried_again_with_its_id_and_a_new_moment(webhook, signed):
    webhook.status = 503
    raised()
    drain_queue()
    row = Notification.objects.get()
    assert (row.status, row.answer) == ("failed", "HTTP 503")
    assert "HTTP 503" in row.last_error
    webhook.status = 204
    services.deliver(row.pk, now=timezone.now() + timedelta(minutes=2))
    ids = [headers["webhook-id"] for _, headers in webhook.requests]
    assert ids == [str(row.delivery_id)] * 2
    row.refresh_from_db()
    assert (row.status, row.answer) == ("sent", "HTTP 204")


def test_a_redirect_is_not_followed(webhook, signed):
    webhook.status = 307
    raised()
    drain_queue()
    assert len(webhook.requests) == 1
    assert Notification.objects.get().answer == "HTTP 307"


def test_nothing_is_sent_unsigned(webhook):
    channel(webhook.signed_url)
    raised()
    drain_queue()
    assert webhook.requests == []
    assert "no signing secret" in Notification.objects.get().last_error


def test_a_webhook_may_not_call_a_private_address(settings):
    settings.CHANNEL_NETWORKS = []
    for url in ("http://127.0.0.1/x", "https://[::1]/x", "http://169.254.169.254/", "https://"):
        with pytest.raises(ChannelUrlUnusable):
            channel(url)


def test_a_name_that_means_a_private_address_is_not_called(webhook, settings):
    ops = channel(webhook.signed_url.replace("127.0.0.1", "localhost"))
    rotated(ops)
    settings.CHANNEL_NETWORKS = []
    raised()
    drain_queue()
    row = Notification.objects.get()
    assert (webhook.requests, row.status, row.answer) == ([], "failed", "")


def test_a_port_without_a_server_and_a_silent_one_look_the_same(
    closed_url, tarpit_url, monkeypatch
):
    monkeypatch.setattr("alerts.webhook_transport._SECONDS", (1, 1))
    for name, url in (("closed", closed_url), ("tarpit", tarpit_url)):
        rotated(channel(url.replace("json:", "http:"), name))
    raised()
    drain_queue()
    errors = set(Notification.objects.values_list("last_error", "answer"))
    assert len(errors) == 1
    assert SECRET not in str(errors)


def test_the_secret_is_sealed_and_in_no_audit_entry_and_is_found_in_texts(webhook, signed):
    ops, secret = signed
    row = SigningSecret.objects.get()
    assert secret not in str(row.sealed)
    assert secret not in json.dumps(list(AuditEntry.objects.values("before", "after")), default=str)
    assert [each.subject for each in OwnSecrets().find(f"key = {secret}")] == [ops.address]


def test_only_a_webhook_has_a_signing_secret():
    with pytest.raises(ChannelNotSigned):
        rotated(channel("json://example.org/path"))


def test_a_channel_has_one_secret_without_an_end(webhook, signed):
    ops, _ = signed
    second = SigningSecret(channel=ops, created_at=NOON)
    security.seal_into(second, "sealed", "whsec_x")
    with pytest.raises(IntegrityError):
        second.save()


def test_rotations_at_once_leave_one_secret_without_an_end(webhook, signed, at_once):
    ops, _ = signed
    secrets = at_once(lambda _: rotated(ops), times=4)
    assert len(set(secrets)) == 4
    assert SigningSecret.objects.filter(channel=ops, ends_at=None).count() == 1


def test_another_url_makes_it_a_channel_of_apprise(webhook, signed):
    ops, _ = signed
    services.change_channel_url(ops.pk, url=webhook.url, actor=ADA, now=NOON)
    raised()
    drain_queue()
    assert Channel.objects.get().service == "json"
    assert "Session s-1 needs another key" in webhook.messages[0]["title"]
