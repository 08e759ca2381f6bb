"""Cross-origin requests: browsers may call from the origins that the operator allows.

Without credentials: a session token in a header is not one to a browser, cookies are.
"""

from django.conf import settings

from gateway.requests import Headers, Request, Scope, Send

_ANY = "*"
_PREFLIGHT_SECONDS = b"7200"
_METHODS = b"GET, POST, OPTIONS"


def allowed_origin(scope: Scope) -> bytes | None:
    """What responses say of the origin of a request; None if it has none, or none allowed."""
    allowed = settings.GATEWAY_CORS_ORIGINS
    if not allowed:
        return None
    origin: bytes | None = dict(scope["headers"]).get(b"origin")
    if origin and _ANY in allowed:
        return _ANY.encode()
    return origin if origin and origin.decode("latin-1").lower() in allowed else None


def is_preflight(request: Request) -> bool:
    """Whether the browser only asks if it may send a request."""
    return request.method == "OPTIONS" and b"access-control-request-method" in request.headers


def preflight_headers(request: Request) -> Headers:
    """Which requests are allowed: those with any headers, as SDKs send many of their own."""
    headers = [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-max-age", _PREFLIGHT_SECONDS),
    ]
    if wanted := request.headers.get(b"access-control-request-headers"):
        headers.append((b"access-control-allow-headers", wanted))
    return headers


def with_origin(send: Send, origin: bytes) -> Send:
    """`send` with the headers that let `origin` read each response, and all headers of it."""

    async def send_with_origin(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": _readable(message["headers"], origin)}
        await send(message)

    return send_with_origin


def _readable(headers: object, origin: bytes) -> Headers:
    found: Headers = list(headers) if isinstance(headers, list) else []
    added = [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b", ".join(name for name, _ in found)),
    ]
    if origin != _ANY.encode():
        added.append((b"vary", b"Origin"))
    return [*found, *added]
