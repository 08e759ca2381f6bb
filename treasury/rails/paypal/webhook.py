"""Check what PayPal tells, without asking PayPal: a signature over ids, time and checksum."""

import base64
import binascii
import zlib
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from treasury.rails.kinds import Connection
from treasury.rails.paypal import certificates
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

_ALGORITHM = "SHA256withRSA"
# PayPal tries again for three days, and does not say whether it signs each try again. An event that
# comes twice is handled once.
PAST = timedelta(days=3, hours=1)


class PayPalWebhooks:
    """Reads the webhooks of one app. The webhook's id is ours, not the one of the request."""

    def __init__(self, connection: Connection) -> None:
        self._webhook_id = connection.settings.get("webhook_id", "")
        self._mode = connection.mode

    def verify(self, delivery: Delivery) -> None:
        """See `WebhookReader`. The time first: then no certificate is fetched for old ones."""
        if not self._webhook_id:
            raise WebhookRejected(Reason.NO_SECRET)
        moment = delivery.header("paypal-transmission-time")
        signature = _decoded(delivery.header("paypal-transmission-sig"))
        if delivery.header("paypal-auth-algo") != _ALGORITHM:
            raise WebhookRejected(Reason.HEADERS)
        check_time(_moment(moment), now=delivery.received_at, past=PAST)
        key = certificates.public_key(
            delivery.header("paypal-cert-url"), mode=self._mode, now=delivery.received_at
        )
        signed = "|".join(
            (
                delivery.header("paypal-transmission-id"),
                moment,
                self._webhook_id,
                str(zlib.crc32(delivery.body)),
            )
        )
        try:
            key.verify(signature, signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            raise WebhookRejected(Reason.SIGNATURE) from None

    def read(self, body: bytes) -> Event:
        """See `WebhookReader`."""
        event = json_object(body)
        about = member(event, "resource")
        order = member(about, "supplementary_data", "related_ids")
        ids = (text(about, "id"), text(order, "order_id"))
        return Event(
            event_id=text(event, "id"),
            kind=text(event, "event_type"),
            vendor_ids=tuple(filter(None, ids)),
            purchase=text(about, "custom_id"),
        )


def _moment(written: str) -> datetime:
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise WebhookRejected(Reason.HEADERS) from None
    if at.tzinfo is None:
        raise WebhookRejected(Reason.HEADERS)
    return at


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error):
        raise WebhookRejected(Reason.HEADERS) from None
