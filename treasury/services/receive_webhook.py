"""Take in what a vendor tells by webhook: checked first, stored as it came, read by a job."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection, transaction
from django_q.tasks import async_task

from treasury.models import RailAccount, RailEvent
from treasury.rail_list import KINDS, connection_of
from treasury.rails.webhooks import BODY_BYTES_MAX, Delivery, Reason, WebhookReader, WebhookRejected
from treasury.refusals import WebhookNotFound, WebhookRefused

WEBHOOK_BYTES_MAX = BODY_BYTES_MAX
_COUNT = """
    INSERT INTO treasury_rejectedwebhooks (rail_account_id, day, reason, count, last_at)
    VALUES (%s, %s, %s, 1, %s)
    ON CONFLICT (rail_account_id, day, reason)
    DO UPDATE SET count = treasury_rejectedwebhooks.count + 1,
                  last_at = greatest(treasury_rejectedwebhooks.last_at, excluded.last_at)
"""


def receive_webhook(key: str, *, body: bytes, headers: Mapping[str, str], now: datetime) -> bool:
    """Store a webhook of the rail with this key; whether it is new. The same bytes are stored once.

    Nothing in it is read before its signature and time are checked. It is committed when this
    returns, so the vendor can be told that it has arrived. Refusals: WebhookNotFound,
    WebhookRefused.
    """
    account = find_receiver(key)
    names = {name.lower(): value for name, value in headers.items()}
    delivery = Delivery(body=body, headers=names, received_at=now)
    try:
        if len(body) > WEBHOOK_BYTES_MAX:
            raise WebhookRejected(Reason.TOO_LARGE)
        reader_of(account).verify(delivery)
    except WebhookRejected as rejected:
        _count(account, rejected.reason, now=now)
        raise WebhookRefused(reason=rejected.reason.sentence) from None
    return _store(account, delivery)


def find_receiver(key: str) -> RailAccount:
    """The rail account that has this webhook address. Refusals: WebhookNotFound."""
    try:
        account = RailAccount.objects.filter(webhook_key=UUID(key)).first()
    except ValueError:
        account = None
    if account is None or account.kind not in KINDS or KINDS[account.kind].webhooks is None:
        raise WebhookNotFound()
    return account


def reader_of(account: RailAccount) -> WebhookReader:
    """What reads the webhooks of the account. Raises WebhookRejected without a secret."""
    kind = KINDS[account.kind]
    if kind.webhooks is None or (kind.webhook_help and not account.sealed_webhook_secret):
        raise WebhookRejected(Reason.NO_SECRET)
    return kind.webhooks(connection_of(account))


@transaction.atomic(durable=True)
def _store(account: RailAccount, delivery: Delivery) -> bool:
    event, is_new = RailEvent.objects.get_or_create(
        rail_account=account,
        body_sha256=hashlib.sha256(delivery.body).hexdigest(),
        defaults={"body": delivery.body, "received_at": delivery.received_at},
    )
    if is_new:
        async_task(
            "treasury.jobs.read_event",
            event.pk,
            task_name=f"rail event {event.pk}",
            group="treasury.read_event",
            # `treasury.jobs.read_events` is what tries again.
            ack_failure=True,
        )
    return is_new


@transaction.atomic(durable=True)
def _count(account: RailAccount, reason: Reason, *, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [account.pk, now.astimezone(UTC).date(), reason.value, now])
