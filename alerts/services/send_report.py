"""Send a report through a channel that is a signed webhook."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.views.decorators.debug import sensitive_variables

from alerts import webhook_transport
from alerts.apprise_transport import NoSigningSecret, NotDelivered
from alerts.models import Channel
from security import services as security


class ReportNotDelivered(Exception):
    """The webhook did not take the report; the message has what it answered, if anything."""


@sensitive_variables("url", "secrets")
def send_report(
    channel: Channel, payload: Mapping[str, Any], *, delivery_id: str, now: datetime
) -> str:
    """Send the payload, signed; returns what the service answered, such as `HTTP 204`.

    Not inside a transaction. Raises ReportNotDelivered, also if the channel is disabled or no
    webhook. Refusal: CannotUnseal.
    """
    if channel.disabled_at or not channel.is_webhook:
        raise ReportNotDelivered("The channel is disabled, or is not a signed webhook.")
    url = security.unseal_from(channel, "sealed_url")
    valid = channel.signing_secrets.valid(now)
    secrets = [security.unseal_from(each, "sealed") for each in valid]
    try:
        return _send(url, payload, delivery_id=delivery_id, secrets=secrets, now=now)
    except NotDelivered as failure:
        raise ReportNotDelivered(str(failure)) from failure


@sensitive_variables("url", "secrets")
def _send(
    url: str,
    payload: Mapping[str, Any],
    *,
    delivery_id: str,
    secrets: list[str],
    now: datetime,
) -> str:
    if not secrets:
        raise NoSigningSecret
    return webhook_transport.send(url, payload, delivery_id=delivery_id, secrets=secrets, now=now)
