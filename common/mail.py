"""Send one mail through Django's mail backend."""

import logging
import smtplib
from typing import NamedTuple

from django.conf import settings
from django.core.mail import EmailMessage

logger = logging.getLogger(__name__)


class MailNotSent(Exception):
    """The mail server could not be reached or did not take the message."""

    def __str__(self) -> str:
        return "The mail server could not be reached or did not take the message."


class Attachment(NamedTuple):
    """A file: its name, content and media type."""

    name: str
    content: bytes
    media_type: str


def send(
    address: str, *, title: str, body: str, delivery_id: str, attachment: Attachment | None = None
) -> None:
    """Send one mail; returns when the mail server took it. Raises MailNotSent.

    Its Message-ID is made of the delivery id, so a mail that comes twice is known as the same.
    """
    mail = EmailMessage(
        # A subject is one line.
        subject=" ".join(title.split()),
        body=body,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[address],
        headers={
            "Message-ID": f"<{delivery_id}@butler.invalid>",
            "X-Butler-Delivery": delivery_id,
            "Auto-Submitted": "auto-generated",
        },
    )
    if attachment:
        mail.attach(*attachment)
    try:
        mail.send()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        # What the server says can repeat the address.
        logger.warning("a mail was not sent: %s", type(error).__name__)
        raise MailNotSent from None
