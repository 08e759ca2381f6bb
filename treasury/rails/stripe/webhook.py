"""Check what Stripe tells: `Stripe-Signature: t=…,v1=…`."""

import hmac
from datetime import UTC, datetime
from hashlib import sha256

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

HEADER = "stripe-signature"
_SIGNATURES_MAX = 10


class StripeWebhooks:
    """Reads the webhooks of one endpoint. The whole secret is the key, its prefix included."""

    def __init__(self, connection: Connection) -> None:
        self._secret = connection.webhook_secret.encode()

    def verify(self, delivery: Delivery) -> None:
        """See `WebhookReader`. One of the signatures must fit: there are two while a secret is
        rolled."""
        parts = [part.partition("=") for part in delivery.header(HEADER).split(",")]
        signatures = [value.strip() for name, _, value in parts if name.strip() == "v1"]
        moment = next((value.strip() for name, _, value in parts if name.strip() == "t"), "")
        if not moment.isascii() or not moment.isdigit() or len(moment) > 12 or not signatures:
            raise WebhookRejected(Reason.HEADERS)
        signed = moment.encode() + b"." + delivery.body
        expected = hmac.new(self._secret, signed, sha256).hexdigest().encode()
        fits = [
            hmac.compare_digest(expected, each.encode()) for each in signatures[:_SIGNATURES_MAX]
        ]
        if not self._secret or not any(fits):
            raise WebhookRejected(Reason.SIGNATURE)
        try:
            at = datetime.fromtimestamp(int(moment), UTC)
        except (ValueError, OverflowError, OSError):
            raise WebhookRejected(Reason.HEADERS) from None
        # Stripe's own library lets the future pass.
        check_time(at, now=delivery.received_at)

    def read(self, body: bytes) -> Event:
        """See `WebhookReader`."""
        event = json_object(body)
        about = member(event, "data", "object")
        ids = (text(about, "id"), text(about, "payment_intent"))
        return Event(
            event_id=text(event, "id"),
            kind=text(event, "type"),
            vendor_ids=tuple(filter(None, ids)),
            purchase=text(member(about, "metadata"), "purchase"),
        )
