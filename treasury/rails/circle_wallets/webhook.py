"""Check what Circle tells of wallets: ECDSA over the bytes of the body."""

import base64
import binascii
import re
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from treasury.rails.http import HttpClient, Request
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

# Circle repeats a notification with the moment of its first attempt.
PAST = timedelta(hours=1, minutes=5)
_ALGORITHM = "ECDSA_SHA_256"
# Nine decimal places of a second: Python reads six.
_FRACTION = re.compile(r"(\.\d{1,6})\d*")
_KEPT_MAX = 64
# By the address of Circle and the id of the key, which never changes.
_kept: dict[tuple[str, str], EllipticCurvePublicKey] = {}
_lock = Lock()


class CircleWebhooks:
    """Reads the notifications of one account. Circle's public key is fetched once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def verify(self, delivery: Delivery) -> None:
        """See `WebhookReader`. The time is in the body, so it is looked at after the signature."""
        signature = _decoded(delivery.header("x-circle-signature"))
        key = self._public_key(delivery.header("x-circle-key-id"))
        try:
            key.verify(signature, delivery.body, ECDSA(SHA256()))
        except InvalidSignature:
            raise WebhookRejected(Reason.SIGNATURE) from None
        check_time(_moment(delivery.body), now=delivery.received_at, past=PAST)

    def read(self, body: bytes) -> Event:
        """See `WebhookReader`."""
        told = json_object(body)
        about = member(told, "notification")
        vendor_id = text(about, "id")
        return Event(
            event_id=text(told, "notificationId"),
            kind=text(told, "notificationType"),
            vendor_ids=(vendor_id,) if vendor_id else (),
            purchase=text(about, "refId"),
        )

    def _public_key(self, key_id: str) -> EllipticCurvePublicKey:
        """Circle's key with this id, from Circle's own host. Raises WebhookRejected."""
        try:
            # Nothing but an id gets into the path.
            key_id = str(UUID(key_id))
        except ValueError:
            raise WebhookRejected(Reason.HEADERS) from None
        known = self._connection.url, key_id
        with _lock:
            if kept := _kept.get(known):
                return kept
        found = self._fetch(key_id)
        with _lock:
            if len(_kept) >= _KEPT_MAX:
                _kept.clear()
            _kept[known] = found
        return found

    def _fetch(self, key_id: str) -> EllipticCurvePublicKey:
        connection = self._connection
        api_key = connection.secret.partition(" ")[0]
        reply = HttpClient(connection.url, networks=connection.networks).send(
            Request(
                method="GET",
                path=f"/v2/notifications/publicKey/{key_id}",
                headers={"Authorization": f"Bearer {api_key}"},
            )
        )
        given = member(reply.body, "data")
        try:
            key = load_der_public_key(base64.b64decode(text(given, "publicKey"), validate=True))
        except (ValueError, binascii.Error):
            raise WebhookRejected(Reason.CERTIFICATE) from None
        if not reply.is_ok or text(given, "algorithm") != _ALGORITHM:
            raise WebhookRejected(Reason.CERTIFICATE)
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise WebhookRejected(Reason.CERTIFICATE)
        return key


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error):
        raise WebhookRejected(Reason.HEADERS) from None


def _moment(body: bytes) -> datetime:
    try:
        written = text(json_object(body), "timestamp")
        at = datetime.fromisoformat(_FRACTION.sub(r"\1", written))
    except (ValueError, RecursionError):
        raise WebhookRejected(Reason.HEADERS) from None
    if at.tzinfo is None:
        raise WebhookRejected(Reason.HEADERS)
    return at
