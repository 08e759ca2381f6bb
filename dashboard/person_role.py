"""As whom a person is signed in: their roles, and the cost centres they are bound to."""

from typing import Any

from gate.queries import access_in_request

_CENTRES_SHOWN = 2


def role_of(user: Any) -> str:
    """`finance`, or `approver, finance · research` for a person who sees a part of the tree."""
    if not user.is_authenticated:
        return ""
    if user.is_superuser:
        return "superuser"
    access = access_in_request(user)
    roles = ", ".join(sorted(access.roles)) or "no role"
    return f"{roles} · {_centres(sorted(access.centres))}" if access.centres else roles


def _centres(centres: list[str]) -> str:
    more = len(centres) - _CENTRES_SHOWN
    shown = ", ".join(centres[:_CENTRES_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
