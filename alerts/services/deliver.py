"""Deliver a notification: claim it, send it outside any transaction, record the result."""

import random
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from alerts import alert_kinds, apprise_transport, mail_transport, webhook_transport
from alerts.apprise_transport import NoSigningSecret, NotDelivered
from alerts.mail_transport import NoAddress
from alerts.messages import message, payload
from alerts.models import Channel, Notification
from alerts.services.close import resolve_by_key
from alerts.services.enqueue import enqueue
from alerts.services.raise_alert import raise_alert
from security import services as security
from security.actor import Actor
from security.vault import CannotUnseal

ATTEMPTS_MAX = 12
FAILURES_BEFORE_ALERT = 3
_BACKOFF_SECONDS = 30
_BACKOFF_SECONDS_MAX = 3600

_DELIVERY = Actor.job("delivery")
_Status = Notification.Status


def deliver(notification_id: int, *, now: datetime) -> None:
    """Send the notification if it is due and its channel is neither disabled, resting nor busy.

    Must not run inside a transaction. `now` is the moment of the claim.
    """
    notification = claim(notification_id, now=now)
    if notification is None:
        return
    try:
        answer = _send(notification, now=now)
    except (NotDelivered, CannotUnseal) as error:
        answer = getattr(error, "answer", "")
        is_final = isinstance(error, NoAddress)
        record_failure(notification, error=str(error), answer=answer, is_final=is_final, now=now)
    else:
        _record_success(notification, answer=answer, now=now)


@sensitive_variables("url", "secrets")
def _send(notification: Notification, *, now: datetime) -> str:
    """Send it, and return what the service answered, if that is known.

    Raises NotDelivered or CannotUnseal.
    """
    channel = notification.channel
    if channel.person:
        _send_mail(channel.person, notification)
        return ""
    url = security.unseal_from(channel, "sealed_url")
    if not channel.is_webhook:
        apprise_transport.send(url, **message(notification))
        return ""
    valid = channel.signing_secrets.valid(now)
    secrets = [security.unseal_from(each, "sealed") for each in valid]
    if not secrets:
        raise NoSigningSecret
    return webhook_transport.send(
        url,
        payload(notification, now=now),
        delivery_id=str(notification.delivery_id),
        secrets=secrets,
        now=timezone.now(),
    )


def _send_mail(person: Any, notification: Notification) -> None:
    if not person.is_active or not person.email:
        raise NoAddress
    told = message(notification)
    mail_transport.send(
        person.email,
        title=told["title"],
        body=told["body"],
        delivery_id=str(notification.delivery_id),
    )


@transaction.atomic(durable=True)
def claim(notification_id: int, *, now: datetime) -> Notification | None:
    """Claim the notification: one caller gets it with the status sending, the others None."""
    channel = Channel.objects.filter(notifications=notification_id).locked().first()
    if channel is None or channel.disabled_at or channel.notifications.sending().exists():
        return None
    takeable = Notification.objects.filter(pk=notification_id).due(now)
    if channel.is_resting(now):
        takeable = takeable.filter(
            alert=None, is_digest=False
        )  # a person asked for a test: it does not wait
    if not takeable.update(status=_Status.SENDING, attempts=F("attempts") + 1, claimed_at=now):
        return None
    related = Notification.objects.select_related("channel__person", "alert", "again_of")
    return related.get(pk=notification_id)


@transaction.atomic(durable=True)
def _record_success(notification: Notification, *, answer: str, now: datetime) -> None:
    channel = _channel_of(notification)
    sent = {"status": _Status.SENT, "sent_at": now, "last_error": "", "answer": answer}
    if not _update_claimed(notification, **sent):
        return
    if channel.failures:
        channel.failures, channel.rests_until = 0, None
        channel.save(update_fields=["failures", "rests_until"])
        resolve_by_key(
            channel.failing_key, actor=_DELIVERY, note="The channel works again.", now=now
        )
    if following := channel.next_due(now):
        enqueue(following.pk)


@transaction.atomic(durable=True)
def record_failure(
    notification: Notification,
    *,
    error: str,
    answer: str = "",
    is_final: bool = False,
    now: datetime,
) -> None:
    """Record that an attempt failed, and let its channel rest; the last attempt gives up, and one
    that `is_final`.

    Does nothing when `notification.attempts` is no longer the attempt under way (fencing).
    """
    channel = _channel_of(notification)
    again_at = now + _backoff(notification.attempts)
    last = is_final or notification.is_test or notification.attempts >= ATTEMPTS_MAX
    status = _Status.GIVEN_UP if last else _Status.FAILED
    failed = {"status": status, "last_error": error, "answer": answer}
    if not _update_claimed(notification, next_attempt_at=again_at, **failed):
        return
    channel.failures += 1
    channel.rests_until = now + _backoff(channel.failures)
    channel.save(update_fields=["failures", "rests_until"])
    if channel.failures == FAILURES_BEFORE_ALERT:
        _alert_about(channel, now=now)


def _channel_of(notification: Notification) -> Channel:
    return Channel.objects.locked().get(pk=notification.channel_id)


def _update_claimed(notification: Notification, **changes: Any) -> bool:
    """Whether the attempt is still under way (fencing); only then the changes are written."""
    mine = Notification.objects.sending().filter(pk=notification.pk, attempts=notification.attempts)
    return mine.update(**changes) == 1


def _alert_about(channel: Channel, *, now: datetime) -> None:
    raise_alert(
        kind=alert_kinds.CHANNEL_FAILING,
        dedup_key=channel.failing_key,
        title=f"Notifications do not get through to {_words(channel)}",
        detail=f"{channel.failures} deliveries in a row failed. The queue's log has the reasons.",
        facts={} if channel.is_person else {"channel_id": str(channel.pk)},
        now=now,
    )


def _words(channel: Channel) -> str:
    return "persons by e-mail" if channel.is_person else channel.name


def _backoff(times: int) -> timedelta:
    """30 s, 1 min, 2 min … 1 h, each shortened by up to a half, so that not all come at once."""
    seconds = min(_BACKOFF_SECONDS * 2 ** min(times - 1, 10), _BACKOFF_SECONDS_MAX)
    return timedelta(seconds=seconds * random.uniform(0.5, 1))  # noqa: S311
