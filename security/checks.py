"""System checks: the keys are usable, and every sealed secret can be read."""

from collections.abc import Iterable
from typing import Any

from django.core import checks
from django.db import connections, router

from security import keyring_sources, queries
from security.fields import SealedField

# This many rows are named; the others are only counted.
_NAMED_MAX = 20


def check_keys(**kwargs: Any) -> list[checks.CheckMessage]:
    """butler.E022: the sealing keys cannot be used; butler.W023: a rekey was interrupted."""
    if problem := keyring_sources.problem():
        return [checks.Error(problem, id="butler.E022")]
    if (
        keyring_sources.is_file()
        and keyring_sources.path().exists()
        and keyring_sources.current().rekey_open
    ):
        return [
            checks.Warning(
                "The vault is being rekeyed, or its rekey was interrupted.",
                hint="Run `manage.py vault rotate`: it goes on where it stopped.",
                id="butler.W023",
            )
        ]
    return []


def check_secrets(
    *, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """butler.W024: names the rows whose secret cannot be unsealed. Needs `--database default`."""
    if keyring_sources.problem():
        return []  # butler.E022 says so, and no row could be read.
    fields = [field for field in queries.sealed_fields() if _is_migrated(field, databases or ())]
    models = dict.fromkeys(field.model for field in fields)
    return [
        checks.Warning(
            _sentence(unsealable),
            hint="Put the missing key back into the keyring, or store the secrets again.",
            obj=model,
            id="butler.W024",
        )
        for model in models
        if (unsealable := queries.unsealable(model))
    ]


def _sentence(unsealable: list[queries.Unsealable]) -> str:
    named = " ".join(secret.reason for secret in unsealable[:_NAMED_MAX])
    more = len(unsealable) - _NAMED_MAX
    count = f"Sealed secrets that cannot be read: {len(unsealable)}. {named}"
    return f"{count} And {more} more." if more > 0 else count


def _is_migrated(field: SealedField, databases: Iterable[str]) -> bool:
    """Whether the columns exist: this check also runs just before `migrate` creates them."""
    alias = router.db_for_read(field.model)
    if alias not in databases:
        return False
    table = field.model._meta.db_table
    with connections[alias].cursor() as cursor:
        introspection = connections[alias].introspection
        if table not in introspection.table_names(cursor):
            return False
        columns = {column.name for column in introspection.get_table_description(cursor, table)}
    needed = (field, field.bound_field, field.model._meta.pk)
    return columns >= {column.column for column in needed}
