"""Send one message to a person by e-mail."""

from alerts.apprise_transport import NotDelivered
from common import mail


class NoAddress(NotDelivered):
    """The person was switched off or has no e-mail address: trying again does not help."""

    def __str__(self) -> str:
        return "The person was switched off or has no e-mail address."


class MailNotDelivered(NotDelivered):
    """The mail server could not be reached or did not take the message."""

    def __str__(self) -> str:
        return str(mail.MailNotSent())


def send(address: str, *, title: str, body: str, delivery_id: str) -> None:
    """Send one mail; returns when the mail server took it, raises NotDelivered otherwise."""
    try:
        mail.send(address, title=title, body=body, delivery_id=delivery_id)
    except mail.MailNotSent:
        raise MailNotDelivered from None
