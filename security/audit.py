"""Record changes: one row per change, in the transaction that makes the change.

Each app lists its actions in a module `audit_actions`, which is imported at start:

    @audit.register
    class Action(StrEnum):
        CHANNEL_ADD = "channel.add"
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from django.db import connection
from django.db.transaction import TransactionManagementError

from common import live_notices
from common.bulk_copy import copy_new
from security.actor import Actor
from security.models import AuditEntry

_REASON_MAX = AuditEntry.reason.field.max_length
_BATCH = 1_000
_actions: set[str] = set()
_Actions = TypeVar("_Actions", bound=type[StrEnum])


def register(actions: _Actions) -> _Actions:
    """Add an app's actions, each a noun and a verb (`limit.set`), to those that can be recorded."""
    _actions.update(actions)
    return actions


def actions() -> list[str]:
    """Every action that can be recorded, in alphabetical order: the choices of filters."""
    return sorted(_actions)


def entry(
    *,
    actor: Actor,
    action: StrEnum,
    subject: str,
    related: Iterable[str] = (),
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    at: datetime,
) -> AuditEntry:
    """An entry that is not written yet, for `record_many`; the arguments are those of `record`.

    ValueError when no app has registered the action.
    """
    if action not in _actions:
        raise ValueError(f"{action!r} is not a registered action")
    return AuditEntry(
        at=at,
        actor_name=actor.name,
        actor_kind=actor.kind,
        address=actor.address,
        request_id=actor.request_id,
        action=action,
        subjects=[subject, *related],
        before=before,
        after=after,
        reason=reason[:_REASON_MAX],
    )


def record(
    *,
    actor: Actor,
    action: StrEnum,
    subject: str,
    related: Iterable[str] = (),
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    at: datetime,
) -> AuditEntry:
    """Write one entry in the caller's transaction: it is stored if and only if the change is.

    `subject` is what was changed, such as `key:nvidia-1`; `related` is what the change concerns.
    `before` and `after` are values that `DjangoJSONEncoder` can write: never put a secret in them.
    TransactionManagementError outside a transaction.
    """
    written = entry(
        actor=actor,
        action=action,
        subject=subject,
        related=related,
        before=before,
        after=after,
        reason=reason,
        at=at,
    )
    _need_transaction()
    written.save(force_insert=True)
    live_notices.announce()
    return written


def record_many(entries: Iterable[AuditEntry]) -> list[AuditEntry]:
    """Write the entries in one statement in the caller's transaction, as `record` does."""
    _need_transaction()
    live_notices.announce()
    return AuditEntry.objects.bulk_create(entries, batch_size=_BATCH)


def copy_many(entries: Iterable[AuditEntry]) -> list[AuditEntry]:
    """As `record_many`, for very many entries: by COPY, in two statements."""
    _need_transaction()
    live_notices.announce()
    written = list(entries)
    copy_new(written)
    return written


def sql_actor(actor: Actor) -> dict[str, str]:
    """The actor as named parameters of a statement that calls the SQL function `security_audit`."""
    return {
        "actor_name": actor.name,
        "actor_kind": actor.kind.value,
        "address": actor.address,
        "request_id": actor.request_id,
    }


def _need_transaction() -> None:
    if not connection.in_atomic_block:
        raise TransactionManagementError("Record the audit entry in the transaction of its change.")
