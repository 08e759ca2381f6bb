"""Error bodies of a provider, in each wire format."""

import msgspec

_OPENAI_TYPES = {
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    404: ("invalid_request_error", "not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def body(*, wire_format: str, status: int, message: str, code: str = "", call_id: str) -> bytes:
    """The body of an error; `code` replaces the usual code of the status."""
    if wire_format == "anthropic":
        kind = code or _ANTHROPIC_TYPES.get(status, _general_type(status, "api_error"))
        error = {"type": kind, "message": message}
        return msgspec.json.encode({"type": "error", "error": error, "request_id": call_id})
    kind, usual = _OPENAI_TYPES.get(status, (_general_type(status, "server_error"), None))
    return msgspec.json.encode(
        {"error": {"message": message, "type": kind, "param": None, "code": code or usual}}
    )


def _general_type(status: int, server_error: str) -> str:
    return server_error if status >= 500 else "invalid_request_error"
