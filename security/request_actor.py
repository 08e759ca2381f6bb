"""The actor of an HTTP request, with its network address and the id of the request."""

import re
import secrets

from django.conf import settings
from django.http import HttpRequest

from security.actor import Actor

# The key of the id in `request.META`. No header of a client can set it.
META_REQUEST_ID = "butler.request_id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def person_of(request: HttpRequest) -> Actor:
    """The user who has signed in."""
    return person_with(request, request.user.get_username())


def person_with(request: HttpRequest, username: str) -> Actor:
    """The user with this name, who is known by what came with the request."""
    return Actor.person(username, **_origin(request))


def agent_of(request: HttpRequest, slug: str) -> Actor:
    """The agent `slug`, whose token came with the request."""
    return Actor.agent(slug, **_origin(request))


def request_id(given: str) -> str:
    """The id that a client gave its request, if it is one; else a new id."""
    return given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"


def client_address(*, peer: str, forwarded_for: str) -> str:
    """The network address of a client, from the socket's other end and `X-Forwarded-For`.

    The header is used only behind a proxy, and only its last address, which the proxy itself saw: a
    client can forge all others.
    """
    last = forwarded_for.rpartition(",")[2].strip() if settings.BEHIND_PROXY else ""
    return (last or peer)[:64]


def address_of(request: HttpRequest) -> str:
    """The network address of the client that sent the request."""
    return client_address(
        peer=request.META.get("REMOTE_ADDR", ""),
        forwarded_for=request.META.get("HTTP_X_FORWARDED_FOR", ""),
    )


def _origin(request: HttpRequest) -> dict[str, str]:
    # A request that a test builds has not passed the middleware that sets its id.
    return {
        "address": address_of(request),
        "request_id": request.META.get(META_REQUEST_ID, ""),
    }
