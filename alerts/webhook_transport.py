"""Send one message as a signed webhook, by the rules of Standard Webhooks."""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.views.decorators.debug import sensitive_variables
from standardwebhooks import Webhook

from alerts.apprise_transport import NotDelivered, remove_url
from alerts.models.channel import WEBHOOK_SCHEMES
from common import addresses

logger = logging.getLogger(__name__)
_SECONDS = (4.0, 8.0)  # to connect, and of silence


def is_usable(url: str) -> bool:
    """Whether a webhook may have this URL. What a name means is checked with each connection."""
    try:
        parts = urlsplit(url.strip())
        if parts.scheme not in WEBHOOK_SCHEMES or not parts.hostname or parts.port == 0:
            return False
        addresses.check(parts.hostname, settings.CHANNEL_NETWORKS)
    except (ValueError, addresses.NotAllowed):
        return False
    return True


@sensitive_variables("url", "secrets")
def send(
    url: str,
    payload: Mapping[str, Any],
    *,
    delivery_id: str,
    secrets: Sequence[str],
    now: datetime,
) -> str:
    """Send `payload`, signed with each of the `secrets`; returns the answer, such as `HTTP 204`.

    Raises NotDelivered if the service does not answer with 2xx. A redirect is none: it would carry
    the message to an address that nobody entered.
    """
    body = json.dumps(payload, cls=DjangoJSONEncoder, ensure_ascii=False)
    headers = signed_headers(body, delivery_id=delivery_id, secrets=secrets, now=now)
    try:
        with addresses.only(settings.CHANNEL_NETWORKS), _session() as session:
            answer = session.post(
                url,
                data=body.encode(),
                headers=headers,
                timeout=_SECONDS,
                allow_redirects=False,
                stream=True,  # what the service says below its status is not read
            )
    except (requests.RequestException, OSError) as error:
        logger.warning("a webhook could not be sent: %s", remove_url(str(error), url))
        raise NotDelivered from None
    if not 200 <= answer.status_code < 300:
        raise NotDelivered(f"HTTP {answer.status_code}")
    return f"HTTP {answer.status_code}"


@sensitive_variables("secrets")
def signed_headers(
    body: str, *, delivery_id: str, secrets: Sequence[str], now: datetime
) -> dict[str, str]:
    """The headers that a receiver verifies: id, moment and one signature for each secret."""
    at = now.astimezone(UTC)
    signatures = [Webhook(secret).sign(delivery_id, at, body) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Butler",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _session() -> requests.Session:
    session = requests.Session()
    # Neither a proxy nor a password from the environment of the process.
    session.trust_env = False
    return session
