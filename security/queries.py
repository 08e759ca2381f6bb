"""Reads of Security Gate: where secrets are stored, which key sealed them, which are unreadable."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models

from security import vault
from security.fields import SealedField, field_context
from security.sealed_rows import unseal_from

UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Unsealable:
    """A secret that cannot be read: the row's pk, the place by name, and the reason in words."""

    pk: Any
    place: str
    reason: str


def sealed_fields() -> list[SealedField]:
    """Every SealedField of every installed model, each once."""
    return [
        field
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy
        for field in model._meta.local_fields
        if isinstance(field, SealedField)
    ]


def sealed_rows(field: SealedField) -> "models.QuerySet[models.Model]":
    """The rows that have a secret in `field`, with only the columns that unsealing needs."""
    return (
        field.model._base_manager.filter(**{f"{field.name}__isnull": False})
        .only("pk", field.name, field.bound_to)
        .order_by("pk")
    )


def unsealable_reason(instance: models.Model, field_name: str) -> str | None:
    """The reason why the row's secret cannot be read; None if it can be, or if there is none."""
    if getattr(instance, field_name) is None:
        return None
    try:
        unseal_from(instance, field_name)
    except vault.CannotUnseal as refusal:
        return refusal.detail
    return None


def unsealable(model: type[models.Model]) -> list[Unsealable]:
    """The secrets of this model's rows that cannot be read, for pages that show them red."""
    fields = [field for field in sealed_fields() if issubclass(model, field.model)]
    return [secret for field in fields for secret in _unsealable_of(field)]


def keys_in_use() -> Counter[str]:
    """The number of secrets by id of their sealing key; `unreadable` counts those without an id."""
    return Counter(
        key_id_or_unreadable(sealed)
        for field in sealed_fields()
        for sealed in sealed_rows(field).values_list(field.name, flat=True).iterator()
    )


def key_id_or_unreadable(sealed: Any) -> str:
    """Id of the key that sealed the value, or `unreadable`."""
    try:
        return vault.key_id_of(bytes(sealed))
    except vault.CannotUnseal:
        return UNREADABLE


def _unsealable_of(field: SealedField) -> Iterator[Unsealable]:
    for row in sealed_rows(field).iterator():
        if reason := unsealable_reason(row, field.name):
            yield Unsealable(row.pk, field_context(row, field.name), reason)
