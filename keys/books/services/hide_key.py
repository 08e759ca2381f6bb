"""Hide an API key that was never lent, such as a mistyped one, and show it again."""

from datetime import datetime

from django.db import transaction

from keys.audit_actions import Action
from keys.books.queries.key_use import was_lent
from keys.limits.services.windows import take_books_alone
from keys.models import ApiKey
from keys.reasons import check_reason
from keys.refusals import KeyWasUsed
from keys.supply.services.key_status import lock_key, write_status
from security import audit
from security.actor import Actor


@transaction.atomic(durable=True)
def hide_key(slug: str, *, reason: str, actor: Actor, now: datetime) -> ApiKey:
    """Take a key that was never lent out of lists and choices, and pause it.

    Its row and its history stay. A second call changes nothing. Refusals: ApiKeyNotFound,
    KeyWasUsed, WrongValue.
    """
    check_reason(reason)
    api_key = lock_key(slug)
    if api_key.hidden_at:
        return api_key
    # No allocation is under way, so none can be made on this key after the look.
    take_books_alone()
    if was_lent(slug):
        raise KeyWasUsed(key_id=slug)
    if api_key.status != ApiKey.Status.INACTIVE:
        write_status(api_key, ApiKey.Status.INACTIVE, reason, actor, now)
    api_key.hidden_at = now
    api_key.save(update_fields=["hidden_at"])
    _record(api_key, Action.KEY_HIDE, reason=reason, actor=actor, now=now)
    return api_key


@transaction.atomic(durable=True)
def show_key(slug: str, *, reason: str, actor: Actor, now: datetime) -> ApiKey:
    """List a hidden key again; it stays paused. A second call changes nothing.

    Refusals: ApiKeyNotFound, WrongValue.
    """
    check_reason(reason)
    api_key = lock_key(slug)
    if api_key.hidden_at:
        api_key.hidden_at = None
        api_key.save(update_fields=["hidden_at"])
        _record(api_key, Action.KEY_SHOW, reason=reason, actor=actor, now=now)
    return api_key


def _record(api_key: ApiKey, action: Action, *, reason: str, actor: Actor, now: datetime) -> None:
    is_hidden = api_key.hidden_at is not None
    audit.record(
        actor=actor,
        action=action,
        subject=api_key.scope,
        before={"hidden": not is_hidden},
        after={"hidden": is_hidden},
        reason=reason,
        at=now,
    )
