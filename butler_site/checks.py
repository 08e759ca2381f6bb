"""System checks: what can be wrong together, found before anything starts."""

from collections.abc import Iterable

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connections

POSTGRES_VERSION_MIN = 15


def postgres_is_new_enough(
    databases: Iterable[str] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """butler.E001: PostgreSQL is older than Butler was made for."""
    return [
        Error(
            f"PostgreSQL {version} is too old: Butler needs {POSTGRES_VERSION_MIN} or newer.",
            hint="Set DATABASE_URL to a newer server, or remove it to use the embedded one.",
            id="butler.E001",
        )
        for alias in databases or ()
        if (version := connections[alias].pg_version // 10_000) < POSTGRES_VERSION_MIN
    ]


def lifetimes_fit(**kwargs: object) -> list[CheckMessage]:
    """butler.E002: an allocation would live longer by default than it ever may."""
    if settings.ALLOCATION_TTL_SECONDS <= settings.ALLOCATION_TTL_SECONDS_MAX:
        return []
    return [
        Error(
            "BUTLER_ALLOCATION_TTL_SECONDS is above BUTLER_ALLOCATION_TTL_SECONDS_MAX.",
            hint="Lower the first or raise the second.",
            id="butler.E002",
        )
    ]
