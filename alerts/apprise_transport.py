"""Send one message by Apprise: one URL, bounded time, and errors that do not repeat the URL."""

import logging
import re
from urllib.parse import quote, unquote

import apprise
from django.conf import settings

from common import addresses
from security.redact import redact

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 4.0
_READ_SECONDS = 8.0
_ERROR_CHARACTERS_MAX = 500
_WHOLE_WORD_CHARACTERS = 6

# Services that are reached over the network, and nothing that writes to this machine.
_SCHEMES = """
betterstack discord feishu firehydrant flock form forms gchat github gotify gotifys ilert
incidentio jira json jsons lark line mailgun mailto mailtos matrix matrixs mmost mmosts ncloud
nclouds nctalk nctalks ntfy ntfys o365 opsgenie pagerduty pagertree pbul postmark pover push
resend rocket rockets sendgrid ses signal signals signl4 slack smtp2go sns sparkpost spike splunk
squadcast tgram threema twilio victorops vonage webex wechat wecom wecombot whatsapp workflow
workflows wxteams xml xmls zoom zulip
"""
_TYPES = {
    "info": apprise.NotifyType.INFO,
    "warning": apprise.NotifyType.WARNING,
    "critical": apprise.NotifyType.FAILURE,
}


class NotDelivered(Exception):
    """The service could not be reached or did not accept the message; the log has the reason.

    A text for each reason would tell people who may add channels what answers in the network.
    `answer` is what the service of a webhook said, such as `HTTP 503`, if one answered.
    """

    def __init__(self, answer: str = "") -> None:
        super().__init__(
            "The service could not be reached or did not accept the message. The log of the queue"
            " has the reason."
            if not answer
            else f"The service did not accept the message; it answered {answer}."
        )
        self.answer = answer


class NoSigningSecret(NotDelivered):
    """A webhook has no signing secret, so nothing is sent to it: an unsigned message proves
    nothing."""

    def __str__(self) -> str:
        return "The webhook has no signing secret. Make one on the page of the channel."


def is_usable(url: str) -> bool:
    """Whether Apprise knows what to do with `url` (one service), and may call it. No network.

    What the name of a host means is checked with each connection.
    """
    service = _service(url)
    if service is None or url.strip().partition(":")[0].lower() not in _SCHEMES.split():
        return False
    try:
        addresses.check(getattr(service, "host", None) or "", settings.CHANNEL_NETWORKS)
    except addresses.NotAllowed:
        return False
    return True


def send(url: str, *, title: str, body: str, severity: str) -> None:
    """Send one message; returns when the service accepted it, raises NotDelivered otherwise.

    Connecting takes at most 4 s, each silence of the service 8 s; a service that trickles is
    ended by the queue's own limit (services.queueing). Runs in the calling thread, so that limit
    reaches it.
    """
    service = _service(url)
    if service is None:
        logger.warning("a channel's URL is not usable with this version of Apprise")
        raise NotDelivered
    # These win over `?cto=`, `?rto=` and `?retry=` of the URL.
    service.socket_connect_timeout = _CONNECT_SECONDS
    service.socket_read_timeout = _READ_SECONDS
    service.retry = 0
    with addresses.only(settings.CHANNEL_NETWORKS):
        result = apprise.Apprise(service, asset=_asset()).notify(
            title=title, body=body, notify_type=_TYPES[severity]
        )
    if not result:
        reasons = " ".join(entry.message for entry in result.logs())
        logger.warning("a channel did not accept a message: %s", remove_url(reasons, url))
        raise NotDelivered


def remove_url(text: str, url: str) -> str:
    """`text` with every piece of `url` (host, user, password, token, path) replaced by `…`."""
    for piece in sorted(_pieces(url), key=len, reverse=True):
        # A short piece is replaced as a whole word only, or the text would become unreadable.
        edge = r"\b" if len(piece) < _WHOLE_WORD_CHARACTERS else ""
        text = re.sub(f"{edge}{re.escape(piece)}{edge}", "…", text, flags=re.IGNORECASE)
    return redact(text)[:_ERROR_CHARACTERS_MAX]


def _pieces(url: str) -> set[str]:
    """The parts between the separators of the URL, as they are, decoded and encoded."""
    rest = url.partition("://")[2]
    pieces = {piece for piece in re.split(r"[/:@?&=,;+#\s]+", rest) if len(piece) > 1}
    return {url} | {
        form for piece in pieces for form in (piece, unquote(piece), quote(piece, safe=""))
    }


def _service(url: str) -> apprise.NotifyBase | None:
    return apprise.Apprise.instantiate(url.strip(), asset=_asset())


def _asset() -> apprise.AppriseAsset:
    return apprise.AppriseAsset(
        app_id="Butler",
        app_desc="Butler alerts",
        app_url="",
        async_mode=False,
        # 0: Apprise starts no thread, which would go on after the delivery was given up.
        service_timeout=0,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        pgp_autogen=False,
        pem_autogen=False,
        # A redirect would carry the secret of the URL to another host.
        http_redirects=False,
        allow_templates=False,
    )
