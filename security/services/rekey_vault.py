"""Rekey the vault: re-seal every secret with the newest key. Operators run it as `vault rotate`.

With a key file, a rekey is opened (a new key seals from now on), works through the rows, and is
closed. If the process is killed in between, the next rekey continues with the same key. With keys
of the environment, the operator has put a new one first; here the rows follow.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from security import audit, keyring_file, keyring_sources, queries, vault
from security.actor import Actor
from security.audit_actions import Action
from security.fields import SealedField, field_context
from security.queries import Unsealable
from security.sealed_rows import seal_into, unseal_from

# A transaction that sealed with a key before it was retired has long committed after this.
PRUNE_AFTER = timedelta(days=1)
# The second pass finds what others stored with the old key while the first one was under way.
_PASSES = 2

Progress = Callable[[], None]


@dataclass
class RekeyResult:
    """What a rekey did: how many rows got the key `key_id`, and which could not be read.

    `resumed`: it finished an interrupted rekey. `unsealable`: secrets that were left as they are,
    by their place.
    """

    key_id: str
    resumed: bool
    resealed: int = 0
    unsealable: dict[str, Unsealable] = field(default_factory=dict)


def rekey_vault(*, actor: Actor, now: datetime, on_row: Progress = lambda: None) -> RekeyResult:
    """Re-seal every secret of every model with the newest key; in a key file, with a new one.

    Each row is re-sealed in its own transaction under its row's lock: other writers wait only for
    that, and a secret replaced at the same time is kept. Rows that have the newest key already are
    skipped. Calls `on_row` after each row looked at. Refusal: VaultBusy when another rekey of the
    key file is running.
    """
    with _open_rekey(now) as result:
        for _ in range(_PASSES):
            for sealed_field in queries.sealed_fields():
                _reseal_rows(sealed_field, result, on_row)
        # Recorded before the rekey is closed: if that fails, the next rekey finishes this one.
        _record(Action.VAULT_REKEY, actor=actor, after=_values(result), now=now)
    return result


def prune_vault(*, actor: Actor, now: datetime) -> list[str]:
    """Remove the keys from the key file that were retired over a day ago; return their ids.

    Backups of the database from before the rekey can no longer be read then. Refusal: VaultBusy.
    """
    path = keyring_sources.path()
    with keyring_file.lock(path):
        before = keyring_sources.current()
        after = before.prune(in_use=queries.keys_in_use(), retired_before=now - PRUNE_AFTER)
        left = {key.id for key in after.keys}
        removed = [key.id for key in before.keys if key.id not in left]
        if removed:
            _record(Action.VAULT_PRUNE, actor=actor, after={"removed": removed}, now=now)
        keyring_file.replace(path, after)
    return removed


@transaction.atomic(durable=True)
def _record(action: Action, *, actor: Actor, after: dict[str, Any], now: datetime) -> None:
    audit.record(actor=actor, action=action, subject="vault:keys", after=after, at=now)


def _values(result: RekeyResult) -> dict[str, Any]:
    """The values of a rekey for the audit, without secrets and their places."""
    return {
        "key_id": result.key_id,
        "resumed": result.resumed,
        "resealed": result.resealed,
        "unsealable": len(result.unsealable),
    }


@contextmanager
def _open_rekey(now: datetime) -> Iterator[RekeyResult]:
    """A rekey of the key file, closed only after all rows were looked at."""
    if not keyring_sources.is_file():
        yield RekeyResult(keyring_sources.current().sealing_id, resumed=False)
        return
    path = keyring_sources.path()
    with keyring_file.lock(path):
        before = keyring_sources.current()
        keyring_file.replace(path, before.open_rekey())
        yield RekeyResult(keyring_sources.current().sealing_id, resumed=before.rekey_open)
        closed = keyring_sources.current().close_rekey(in_use=queries.keys_in_use(), now=now)
        keyring_file.replace(path, closed)


def _reseal_rows(sealed_field: SealedField, result: RekeyResult, on_row: Progress) -> None:
    name = sealed_field.name
    for pk, sealed in queries.sealed_rows(sealed_field).values_list("pk", name).iterator():
        if queries.key_id_or_unreadable(sealed) != result.key_id:
            _reseal(sealed_field, pk, result)
        on_row()


@sensitive_variables()
@transaction.atomic(durable=True)
def _reseal(sealed_field: SealedField, pk: Any, result: RekeyResult) -> None:
    """Lock, look again, re-seal: what was read before the lock is not trusted."""
    name = sealed_field.name
    rows = queries.sealed_rows(sealed_field).filter(pk=pk)
    row = rows.select_for_update(of=("self",), no_key=True).first()
    if row is None or queries.key_id_or_unreadable(getattr(row, name)) == result.key_id:
        return
    try:
        plaintext = unseal_from(row, name)
    except vault.CannotUnseal as refusal:
        place = field_context(row, name)
        result.unsealable[place] = Unsealable(pk, place, refusal.detail)
        return
    seal_into(row, name, plaintext)
    sealed_field.model._base_manager.filter(pk=pk).update(**{name: getattr(row, name)})
    result.resealed += 1
