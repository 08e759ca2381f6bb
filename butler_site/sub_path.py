"""ASGI: serve Butler below the path that its public address has."""

from typing import Any


def without_prefix(scope: dict[str, Any], prefix: str | None) -> dict[str, Any]:
    """The request as Butler's own paths are, whether or not the proxy has removed the `prefix`."""
    path: str = scope.get("path", "")
    if not prefix or not f"{path}/".startswith(f"{prefix}/"):
        return scope
    raw: bytes = scope.get("raw_path") or path.encode()
    start = len(prefix.encode())
    return scope | {"path": path[len(prefix) :] or "/", "raw_path": raw[start:] or b"/"}
