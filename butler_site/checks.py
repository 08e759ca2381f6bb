"""System checks: settings that contradict each other, found before anything starts."""

from collections.abc import Iterable
from typing import cast

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from butler_site.second_factor import SUPERUSER
from gate.roles import roles

POSTGRES_VERSION_MIN = 15


def postgres_is_new_enough(
    databases: Iterable[str] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """butler.E001: PostgreSQL is older than the version that Butler needs."""
    return [
        Error(
            f"PostgreSQL {version} is too old: Butler needs {POSTGRES_VERSION_MIN} or newer.",
            hint="Set DATABASE_URL to a newer server, or remove it to use the embedded one.",
            id="butler.E001",
        )
        for alias in databases or ()
        if (version := _server_version(alias)) < POSTGRES_VERSION_MIN
    ]


def _server_version(alias: str) -> int:
    connection = cast(DatabaseWrapper, connections[alias])
    return connection.pg_version // 10_000


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


def second_factors_are_sound(**kwargs: object) -> list[CheckMessage]:
    """butler.E003: a code opens every account. butler.E004: a setting names an unknown role."""
    found: list[CheckMessage] = []
    if settings.PRODUCTION and getattr(settings, "MFA_TOTP_INSECURE_BYPASS_CODE", None):
        text = "MFA_TOTP_INSECURE_BYPASS_CODE is set: that code is a second factor of everybody."
        found.append(Error(text, hint="Remove it.", id="butler.E003"))
    named = {
        "BUTLER_SECOND_FACTOR_ROLES": set(settings.SECOND_FACTOR_ROLES) - {SUPERUSER},
        "BUTLER_OIDC_ROLES": set(settings.OIDC_ROLES.values()),
    }
    for setting, names in named.items():
        if unknown := ", ".join(sorted(names - roles().keys())):
            text = f"{setting} names roles that do not exist: {unknown}."
            found.append(Error(text, hint=f"Roles are {', '.join(roles())}.", id="butler.E004"))
    return found


def variables_are_known(**kwargs: object) -> list[CheckMessage]:
    """butler.W001: a variable `BUTLER_…` is set that Butler does not know, and so has no effect."""
    return [
        Warning(sentence, hint="Correct its name or remove it.", id="butler.W001")
        for sentence in unknown_variables()
    ]


def unknown_variables() -> list[str]:
    """A sentence for each variable that has no effect; never its value, which may be a secret."""
    return [
        f"{name} is set, but Butler has no such setting."
        + (f" Did you mean {meant}?" if meant else "")
        for name, meant in settings.UNKNOWN_VARIABLES.items()
    ]
