"""Notifications of Amazon SNS: the certificate, the signature, and confirming a subscription.

A valid signature only says that Amazon has sent it: anybody can have a topic there. So the topic is
compared as well.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from treasury.rails.http import HttpClient
from treasury.rails.webhooks import Reason, WebhookRejected

_HOST = re.compile(r"sns\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com")
_PATH = re.compile(r"/SimpleNotificationService-[0-9a-f]{8,64}\.pem")
_TOPIC = re.compile(r"arn:aws:sns:([a-z]{2}(?:-[a-z]+)+-\d):\d{12}:[\w-]{1,256}", re.ASCII)
# The members that are signed, in their order.
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = (
    *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
)
SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
# Amazon's version 1 is SHA-1: Amazon chooses it for a topic, and Circle's are of either version.
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "1": hashes.SHA1(),  # noqa: S303  # nosec B303
    "2": hashes.SHA256(),
}
_KEPT_MAX = 16
_kept: dict[str, x509.Certificate] = {}
_lock = Lock()


def region_of(topic: str) -> str:
    """The region of a topic. Raises ValueError for what is none."""
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise ValueError("The topic is no ARN of Amazon SNS.")
    return found[1]


def verify(message: Mapping[str, Any], *, topic: str, now: datetime) -> None:
    """Check that Amazon has sent the message for this topic. Raises WebhookRejected."""
    names = SIGNED.get(str(message.get("Type")))
    if names is None or not all(isinstance(value, str) for value in message.values()):
        raise WebhookRejected(Reason.HEADERS)
    if message.get("TopicArn") != topic:
        raise WebhookRejected(Reason.SIGNATURE)
    algorithm = _HASHES.get(message.get("SignatureVersion", ""))
    if algorithm is None:
        raise WebhookRejected(Reason.HEADERS)
    key = _public_key(message.get("SigningCertURL", ""), region=region_of(topic), now=now)
    signed = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    try:
        signature = base64.b64decode(message.get("Signature", ""), validate=True)
        key.verify(signature, signed.encode(), PKCS1v15(), algorithm)
    except (ValueError, binascii.Error, InvalidSignature):
        raise WebhookRejected(Reason.SIGNATURE) from None


def confirm(message: Mapping[str, Any], *, topic: str) -> None:
    """Confirm the subscription that a verified message asks for.

    The address is put together here, from the region of the topic and the token: what the message
    says is never called. Raises WebhookRejected if it names another host.
    """
    region = region_of(topic)
    check_host(message.get("SubscribeURL", ""), region=region)
    asked = {"Action": "ConfirmSubscription", "TopicArn": topic, "Token": message.get("Token", "")}
    fetch(f"sns.{region}.amazonaws.com", f"/?{urlencode(asked)}")


def check_host(url: str, *, region: str) -> None:
    """Raises WebhookRejected unless it is an https address of Amazon SNS in this region."""
    try:
        parts = urlsplit(url)
        found = _HOST.fullmatch(parts.netloc)
    except ValueError:
        raise WebhookRejected(Reason.CERTIFICATE) from None
    if parts.scheme != "https" or found is None or found[1] != region:
        raise WebhookRejected(Reason.CERTIFICATE)


def fetch(host: str, path: str) -> bytes | None:
    """The bytes at a path of one of Amazon's hosts."""
    return HttpClient(f"https://{host}").fetch(path)


def _public_key(url: str, *, region: str, now: datetime) -> RSAPublicKey:
    check_host(url, region=region)
    parts = urlsplit(url)
    if not _PATH.fullmatch(parts.path) or url != f"https://{parts.netloc}{parts.path}":
        raise WebhookRejected(Reason.CERTIFICATE)
    certificate = _certificate(url)
    # It came from Amazon's own host by TLS.
    is_valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    key = certificate.public_key()
    if not is_valid or not isinstance(key, RSAPublicKey):
        raise WebhookRejected(Reason.CERTIFICATE)
    return key


def _certificate(url: str) -> x509.Certificate:
    with _lock:
        if kept := _kept.get(url):
            return kept
    parts = urlsplit(url)
    try:
        found = x509.load_pem_x509_certificate(fetch(parts.netloc, parts.path) or b"")
    except ValueError:
        raise WebhookRejected(Reason.CERTIFICATE) from None
    with _lock:
        if len(_kept) >= _KEPT_MAX:
            _kept.clear()
        _kept[url] = found
    return found
