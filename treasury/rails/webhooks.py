"""What a vendor's webhook must pass before anything else is done with it, and what it leads to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

# A webhook is a note that leads to reading the payment, so it is small.
BODY_BYTES_MAX = 256_000
TOLERANCE = timedelta(minutes=5)


class Reason(StrEnum):
    """Why a webhook was rejected."""

    HEADERS = "headers", "Headers are missing or cannot be read."
    SIGNATURE = "signature", "The signature does not belong to the body and the secret."
    STALE = "stale", "It was signed too long ago."
    FUTURE = "future", "It was signed in the future."
    CERTIFICATE = "certificate", "The certificate is not the vendor's."
    TOO_LARGE = "too_large", "The body is too large."
    NO_SECRET = "no_secret", "No webhook secret was entered."

    sentence: str

    def __new__(cls, value: str, sentence: str) -> "Reason":
        """The value with its sentence."""
        member = str.__new__(cls, value)
        member._value_, member.sentence = value, sentence
        return member


class WebhookRejected(Exception):
    """The webhook is not the vendor's, or not of now. Nothing in it was looked at."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A webhook as it came: the names of its headers are in lower case."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    received_at: datetime

    def header(self, name: str) -> str:
        """The header. Raises WebhookRejected if there is none."""
        value = self.headers.get(name, "")
        if not value:
            raise WebhookRejected(Reason.HEADERS)
        return value


@dataclass(frozen=True, kw_only=True)
class Event:
    """Which event it is, and which payments it may be about: their ids with the vendor, or the
    identity that Butler sent with them. Nothing else of it is believed."""

    event_id: str
    kind: str
    vendor_ids: tuple[str, ...] = ()
    purchase: str = ""


class WebhookReader(Protocol):
    """Reads the webhooks of one rail account."""

    def verify(self, delivery: Delivery) -> None:
        """Check signature and time. It may fetch the vendor's public key, from the vendor's own
        hosts only. Raises WebhookRejected."""

    def read(self, body: bytes) -> Event:
        """The event of a verified body. An unknown kind is an event, too. Raises ValueError for
        what is none; `member` and `text` help."""


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises ValueError."""
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("The body is no JSON object.")
    return found


def member(whole: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """The object at a path; empty if there is none."""
    for name in path:
        found = whole.get(name)
        whole = found if isinstance(found, dict) else {}
    return dict(whole)


def text(whole: Mapping[str, Any], name: str) -> str:
    """The text of a member; empty if it has none."""
    found = whole.get(name)
    return found if isinstance(found, str) else ""


def check_time(
    at: datetime, *, now: datetime, past: timedelta = TOLERANCE, future: timedelta = TOLERANCE
) -> None:
    """Raises WebhookRejected unless it was signed at about this time."""
    if at < now - past:
        raise WebhookRejected(Reason.STALE)
    if at > now + future:
        raise WebhookRejected(Reason.FUTURE)
