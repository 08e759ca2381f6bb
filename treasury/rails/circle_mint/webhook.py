"""Check what Circle Mint tells, which comes by Amazon SNS."""

import json
from datetime import UTC, datetime, timedelta

from treasury.rails.circle_mint import sns
from treasury.rails.kinds import Connection
from treasury.rails.webhooks import (
    Delivery,
    Event,
    Reason,
    WebhookRejected,
    check_time,
    json_object,
    member,
    text,
)

# Amazon repeats a message for about an hour, with the moment at which it was published.
PAST = timedelta(hours=1, minutes=5)
_NAMES = ("transfer", "payout", "deposit", "return")


class CircleMintWebhooks:
    """Reads the notifications of one topic. Signature and time are in the body."""

    def __init__(self, connection: Connection) -> None:
        self._topic = connection.settings.get("topic", "")

    def verify(self, delivery: Delivery) -> None:
        """See `WebhookReader`. A subscription is confirmed with Amazon."""
        if not self._topic:
            raise WebhookRejected(Reason.NO_SECRET)
        try:
            message = json_object(delivery.body)
            at = datetime.fromisoformat(message["Timestamp"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise WebhookRejected(Reason.HEADERS) from None
        # The time first: then no certificate is fetched for old ones.
        check_time(at.replace(tzinfo=at.tzinfo or UTC), now=delivery.received_at, past=PAST)
        try:
            sns.verify(message, topic=self._topic, now=delivery.received_at)
        except ValueError:
            raise WebhookRejected(Reason.NO_SECRET) from None
        if message["Type"] == "SubscriptionConfirmation":
            sns.confirm(message, topic=self._topic)

    def read(self, body: bytes) -> Event:
        """See `WebhookReader`."""
        message = json_object(body)
        try:
            told = json_object(text(message, "Message").encode())
        except json.JSONDecodeError:
            # The confirmation of a subscription has a sentence there.
            told = {}
        ids = [text(member(told, name), "id") for name in _NAMES]
        ids.append(text(member(told, "return"), "payoutId"))
        return Event(
            event_id=text(message, "MessageId"),
            kind=text(told, "notificationType") or text(message, "Type"),
            vendor_ids=tuple(filter(None, ids)),
        )
