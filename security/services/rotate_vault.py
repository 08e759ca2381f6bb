"""Re-seal every secret with the newest key.

A rotation of the key file is opened (a fresh key seals from now on), works through the rows, and is
closed; when it is killed in between, the next one goes on with the same key. Keys of the
environment are rotated by putting a new one first: here the rows follow.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from security import keyring_file, keyring_sources, queries, vault
from security.fields import SealedField, field_context
from security.queries import Unsealable
from security.sealed_rows import seal_into, unseal_from

# A transaction that sealed with a key before it was retired has long committed after this.
PRUNE_AFTER = timedelta(days=1)
# The second pass finds what others stored with the old key while the first one was under way.
_PASSES = 2

Progress = Callable[[], None]


@dataclass
class Rotation:
    """What a rotation did. `unsealable` rows were left as they are."""

    key_id: str
    resumed: bool
    resealed: int = 0
    unsealable: dict[str, Unsealable] = field(default_factory=dict)


def rotate_vault(*, now: datetime, on_row: Progress = lambda: None) -> Rotation:
    """Re-seal every secret of every model with the newest key; a fresh one in a key file.

    Each row is a transaction of its own under its row's lock, so nobody waits long and a secret
    replaced meanwhile is kept; rows that have the newest key already are skipped. Calls `on_row`
    after each row looked at. Refusal: VaultBusy when another rotation of the key file is running.
    """
    with _opened(now) as rotation:
        for _ in range(_PASSES):
            for sealed_field in queries.sealed_fields():
                _reseal_rows(sealed_field, rotation, on_row)
    return rotation


def prune_vault(*, now: datetime) -> list[str]:
    """Remove the keys from the key file that were retired over a day ago; return their ids.

    Backups of the database from before the rotation can no longer be read then. Refusal: VaultBusy.
    """
    path = keyring_sources.path()
    with keyring_file.locked(path):
        before = keyring_sources.current()
        after = before.pruned(in_use=queries.keys_in_use(), retired_before=now - PRUNE_AFTER)
        keyring_file.replace(path, after)
    left = {key.id for key in after.keys}
    return [key.id for key in before.keys if key.id not in left]


@contextmanager
def _opened(now: datetime) -> Iterator[Rotation]:
    """A rotation of the keys, closed only when the rows were all looked at."""
    if not keyring_sources.is_file():
        yield Rotation(keyring_sources.current().sealing_id, resumed=False)
        return
    path = keyring_sources.path()
    with keyring_file.locked(path):
        before = keyring_sources.current()
        keyring_file.replace(path, before.rotation_opened())
        yield Rotation(keyring_sources.current().sealing_id, resumed=before.rotation_open)
        closed = keyring_sources.current().rotation_closed(in_use=queries.keys_in_use(), now=now)
        keyring_file.replace(path, closed)


def _reseal_rows(sealed_field: SealedField, rotation: Rotation, on_row: Progress) -> None:
    name = sealed_field.name
    for pk, sealed in queries.sealed_rows(sealed_field).values_list("pk", name).iterator():
        if queries.key_id_or_unreadable(sealed) != rotation.key_id:
            _reseal(sealed_field, pk, rotation)
        on_row()


@sensitive_variables()
@transaction.atomic(durable=True)
def _reseal(sealed_field: SealedField, pk: Any, rotation: Rotation) -> None:
    """Lock, look again, re-seal: what was read before the lock is not trusted."""
    name = sealed_field.name
    rows = queries.sealed_rows(sealed_field).filter(pk=pk)
    row = rows.select_for_update(of=("self",), no_key=True).first()
    if row is None or queries.key_id_or_unreadable(getattr(row, name)) == rotation.key_id:
        return
    try:
        plaintext = unseal_from(row, name)
    except vault.CannotUnseal as refusal:
        place = field_context(row, name)
        rotation.unsealable[place] = Unsealable(pk, place, refusal.detail)
        return
    seal_into(row, name, plaintext)
    sealed_field.model._base_manager.filter(pk=pk).update(**{name: getattr(row, name)})
    rotation.resealed += 1
