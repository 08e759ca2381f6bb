"""Send calls to the providers, over one pool of connections per process."""

import socket
from typing import Any

import aiohttp
from django.conf import settings

from common import addresses
from gateway import secret_scrubbing
from gateway.answer_body import CONNECTION_ERRORS, AnswerBody, Lost
from gateway.dialects import Dialect
from gateway.requests import Headers, Request
from keys.supply.queries.upstreams import Upstream

# Shorter than any provider keeps an idle connection: a request on one that the other end has just
# closed would be lost, and it would be unknown whether the call was made.
_IDLE_SECONDS = 15
# The client's headers that the provider gets, and the provider's that the client gets: no
# credential, and none that names the organisation behind the key.
_REQUEST_HEADERS = (
    b"accept",
    b"anthropic-beta",
    b"anthropic-dangerous-direct-browser-access",
    b"anthropic-version",
    b"openai-beta",
    b"user-agent",
)
_RESPONSE_HEADERS = frozenset(
    {
        "content-type",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "openai-processing-ms",
        "openai-version",
    }
)
# What is left of the provider's limits.
_RESPONSE_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")
# The provider's id of the request; Butler's own responses have these headers for its own id.
_REQUEST_ID_HEADERS = ("x-request-id", "request-id")
_PROVIDER_REQUEST_ID = b"x-provider-request-id"
# Some providers send long headers, such as policies or cookies of a firewall.
_HEADER_BYTES_MAX = 2**20
_HEADERS_MAX = 1000


class NothingSent(Exception):
    """No connection was made, so the call can be tried again."""


def connection_pool() -> aiohttp.ClientSession:
    """A pool for one event loop; close it at the end."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=_IDLE_SECONDS,
            ttl_dns_cache=60,
            socket_factory=_checked_socket,
        ),
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
        max_line_size=_HEADER_BYTES_MAX,
        max_field_size=_HEADER_BYTES_MAX,
        max_headers=_HEADERS_MAX,
    )


def _checked_socket(address: Any) -> socket.socket:
    """A socket for one address that a name was resolved to, if it may be called."""
    family, kind, protocol, _, where = address
    addresses.check(where[0], settings.PROVIDER_NETWORKS)
    return socket.socket(family, kind, protocol)


async def send(
    pool: aiohttp.ClientSession,
    request: Request,
    upstream: Upstream,
    *,
    dialect: Dialect,
    body: bytes,
) -> aiohttp.ClientResponse:
    """Send the call; returns when the head of the answer is there.

    Raises NothingSent (it can be tried again) or Lost (the provider may have made it).
    """
    url = f"{upstream.base_url}{dialect.path}"
    if query := request.forwarded_query:
        url += f"?{query}"
    try:
        return await pool.post(
            url,
            data=body,
            headers=_headers(request, upstream, dialect),
            allow_redirects=False,
        )
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise NothingSent(str(error)) from error
    except aiohttp.InvalidURL as error:
        raise NothingSent(f"the address of the API key is {upstream.base_url!r}") from error
    except CONNECTION_ERRORS as error:
        # Its text, and that of its causes, may repeat what the provider sent.
        raise Lost(type(error).__name__) from None


async def read(response: aiohttp.ClientResponse, upstream: Upstream) -> bytes:
    """The whole body, decoded, without the key's secret. Raises Lost."""
    return scrub(await AnswerBody(response).read(), upstream)


def response_headers(response: aiohttp.ClientResponse, upstream: Upstream) -> Headers:
    """The provider's headers that the client gets, and the provider's id of the request."""
    found = {name.lower(): value for name, value in response.headers.items()}
    passed = [
        (name.encode(), _scrubbed(value, upstream))
        for name, value in found.items()
        if name in _RESPONSE_HEADERS or name.startswith(_RESPONSE_PREFIXES)
    ]
    ids = [found[name] for name in _REQUEST_ID_HEADERS if name in found]
    return [*passed, *((_PROVIDER_REQUEST_ID, _scrubbed(each, upstream)) for each in ids[:1])]


def _scrubbed(value: str, upstream: Upstream) -> bytes:
    return scrub(value.encode("utf-8", "surrogateescape"), upstream)


def scrub(piece: bytes, upstream: Upstream) -> bytes:
    """A piece of an answer without the key's secret, which some providers repeat in errors."""
    return secret_scrubbing.scrub(piece, upstream.secret)


def _headers(request: Request, upstream: Upstream, dialect: Dialect) -> dict[str, str]:
    headers = {
        name.decode(): request.headers[name].decode("latin-1")
        for name in _REQUEST_HEADERS
        if name in request.headers
    }
    headers["content-type"] = "application/json"
    # What is metered must be readable.
    headers["accept-encoding"] = "identity"
    for name, value in dialect.default_headers:
        headers.setdefault(name, value)
    return headers | credential_headers(upstream)


def credential_headers(upstream: Upstream) -> dict[str, str]:
    """The header that carries the key's secret."""
    if upstream.wire_formats == ("anthropic",):
        return {"x-api-key": upstream.secret}
    return {"authorization": f"Bearer {upstream.secret}"}
