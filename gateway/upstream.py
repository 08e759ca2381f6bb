"""The way to the providers: one pool of connections per process."""

import aiohttp
from django.conf import settings

from gateway.requests import Headers, Request
from keys.supply.queries.upstreams import Upstream

# Shorter than any provider keeps an idle connection: a request on one that the other end has just
# closed would be lost, and nobody could say whether it was made.
_IDLE_SECONDS = 15
# What of a client's headers reaches the provider, and of the provider's the client. Never a
# credential; nothing that tells the organisation behind the key.
_PASSED_ON = (
    b"accept",
    b"anthropic-beta",
    b"anthropic-dangerous-direct-browser-access",
    b"anthropic-version",
    b"openai-beta",
    b"user-agent",
)
_PASSED_BACK = ("content-type", "retry-after", "openai-processing-ms", "openai-version")
# What is shorter is no secret but a word, like `ollama`, that an answer may well have.
_SECRET_BYTES_MIN = 12
_SCRUBBED = b"[secret]"
_ANTHROPIC_VERSION = "2023-06-01"


class NothingSent(Exception):
    """No connection was made."""


class Lost(Exception):
    """The call was sent, and no answer, or half of one, came back."""


# What may come up while an answer is read.
BROKEN_OFF = (aiohttp.ClientError, TimeoutError, OSError)


def session() -> aiohttp.ClientSession:
    """A pool for one event loop; close it at the end."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS, ttl_dns_cache=60),
        timeout=aiohttp.ClientTimeout(
            total=None,
            sock_connect=settings.UPSTREAM_CONNECT_SECONDS,
            sock_read=settings.UPSTREAM_SILENCE_SECONDS,
        ),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("user-agent", "accept"),
        # One event of a stream may be large.
        read_bufsize=2**18,
    )


async def send(
    pool: aiohttp.ClientSession, request: Request, upstream: Upstream, *, path: str, body: bytes
) -> aiohttp.ClientResponse:
    """Make the call; returns when the head of the answer is there.

    Raises NothingSent (it can be tried again) or Lost (it may have been made).
    """
    url = f"{upstream.base_url}{path}"
    if request.query:
        url += f"?{request.query.decode('latin-1')}"
    try:
        return await pool.post(
            url, data=body, headers=_headers(request, upstream), allow_redirects=False
        )
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise NothingSent(str(error)) from error
    except aiohttp.InvalidURL as error:
        raise NothingSent(f"the key's address is {upstream.base_url!r}") from error
    except BROKEN_OFF as error:
        # Its words, and those of its causes, may repeat what the provider sent.
        raise Lost(type(error).__name__) from None


async def read(answer: aiohttp.ClientResponse, upstream: Upstream) -> bytes:
    """The whole body, without the key's secret. Raises Lost."""
    try:
        return scrubbed(await answer.read(), upstream)
    except BROKEN_OFF as error:
        raise Lost(type(error).__name__) from None


def passed_back(answer: aiohttp.ClientResponse, upstream: Upstream) -> Headers:
    """The provider's headers that the client gets."""
    return [
        (name.encode(), scrubbed(answer.headers[name].encode("utf-8", "surrogateescape"), upstream))
        for name in _PASSED_BACK
        if name in answer.headers
    ]


def scrubbed(piece: bytes, upstream: Upstream) -> bytes:
    """A piece of an answer without the key's secret, which some providers repeat in errors."""
    secret = upstream.secret.encode()
    if len(secret) < _SECRET_BYTES_MIN or secret not in piece:
        return piece
    return piece.replace(secret, _SCRUBBED)


def _headers(request: Request, upstream: Upstream) -> dict[str, str]:
    headers = {
        name.decode(): request.headers[name].decode("latin-1")
        for name in _PASSED_ON
        if name in request.headers
    }
    headers["content-type"] = "application/json"
    # What is metered must be readable.
    headers["accept-encoding"] = "identity"
    if request.path.startswith("/v1/messages"):
        headers.setdefault("anthropic-version", _ANTHROPIC_VERSION)
    if upstream.wire_formats == ("anthropic",):
        headers["x-api-key"] = upstream.secret
    else:
        headers["authorization"] = f"Bearer {upstream.secret}"
    return headers
