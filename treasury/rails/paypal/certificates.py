"""PayPal's certificates: fetched from PayPal's own hosts only, and believed only if a public
authority has signed them for PayPal."""

import re
from datetime import datetime
from functools import cache
from threading import Lock
from urllib.parse import urlsplit

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from treasury.rails.base import Mode
from treasury.rails.http import HttpClient
from treasury.rails.webhooks import Reason, WebhookRejected

_HOSTS = {
    Mode.SANDBOX: ("api.sandbox.paypal.com", "api-m.sandbox.paypal.com"),
    Mode.LIVE: ("api.paypal.com", "api-m.paypal.com"),
}
_PATH = re.compile(r"/v1/notifications/certs/[A-Za-z0-9_-]{1,100}")
_OWNER = ".paypal.com"
_CERTIFICATES_MAX, _KEPT_MAX = 5, 16

# By URL. A certificate is looked at again with each webhook; only the fetching is saved.
_kept: dict[str, list[x509.Certificate]] = {}
_lock = Lock()


def public_key(url: str, *, mode: Mode, now: datetime) -> RSAPublicKey:
    """The key at this address. Raises WebhookRejected for another host than PayPal's, and for a
    certificate that is not PayPal's at this moment."""
    check_url(url, mode)
    chain = _chain(url)
    _check(chain, now=now)
    key = chain[0].public_key()
    if not isinstance(key, RSAPublicKey):
        raise WebhookRejected(Reason.CERTIFICATE)
    return key


def check_url(url: str, mode: Mode) -> None:
    """Raises WebhookRejected unless it is PayPal's address of a certificate, and nothing else."""
    try:
        parts = urlsplit(url)
        is_own = (
            parts.scheme == "https"
            and parts.netloc in _HOSTS[mode]
            and _PATH.fullmatch(parts.path)
            and url == f"https://{parts.netloc}{parts.path}"
        )
    except ValueError:
        is_own = None
    if not is_own:
        raise WebhookRejected(Reason.CERTIFICATE)


def fetch(url: str) -> bytes | None:
    """The certificates at an address that was checked."""
    parts = urlsplit(url)
    return HttpClient(f"https://{parts.netloc}").fetch(parts.path)


@cache
def trusted_roots() -> tuple[x509.Certificate, ...]:
    """The public authorities."""
    with open(certifi.where(), "rb") as file:
        return tuple(x509.load_pem_x509_certificates(file.read()))


def _chain(url: str) -> list[x509.Certificate]:
    with _lock:
        if chain := _kept.get(url):
            return chain
    try:
        chain = x509.load_pem_x509_certificates(fetch(url) or b"")
    except ValueError:
        chain = []
    if not 0 < len(chain) <= _CERTIFICATES_MAX:
        raise WebhookRejected(Reason.CERTIFICATE)
    with _lock:
        if len(_kept) >= _KEPT_MAX:
            _kept.clear()
        _kept[url] = chain
    return chain


def _check(chain: list[x509.Certificate], *, now: datetime) -> None:
    try:
        names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        own = [
            name
            for name in names.get_values_for_type(x509.DNSName)
            if name.endswith(_OWNER) and "*" not in name
        ]
        verifier = (
            PolicyBuilder()
            .store(Store(list(trusted_roots())))
            .time(now)
            .build_server_verifier(x509.DNSName(own[0]))
        )
        verifier.verify(chain[0], chain[1:])
    except (IndexError, ValueError, VerificationError, x509.ExtensionNotFound):
        raise WebhookRejected(Reason.CERTIFICATE) from None
