"""Keep an exchange, record who views it, delete it when it expires."""

from datetime import datetime, timedelta

from django.contrib.postgres.functions import TransactionNow
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from gateway import exchange_bodies, queries
from gateway.audit_actions import Action
from gateway.models import Exchange
from gateway.services import retention_lock
from keys.books.queries.charges import payer_of_call
from security import audit
from security.actor import Actor

_BATCH = 500
_MEDIA_TYPE_MAX = 200


@sensitive_variables()
def keep_exchange(
    *,
    charge_id: int,
    days: int,
    request: bytes,
    answer: bytes,
    status: int,
    media_type: str,
    complete: bool,
    now: datetime,
) -> None:
    """Keep a call's request and answer for `days`, or fewer if the retention became shorter.

    Calling it again changes nothing.

    Bodies only, never headers: the provider's key is in none of them.
    """
    # Before the lock: compressing and sealing many megabytes takes a while.
    exchange = Exchange(
        pk=charge_id,
        status=status,
        media_type=media_type[:_MEDIA_TYPE_MAX],
        complete=complete,
        created_at=now,
    )
    exchange_bodies.fill(exchange, request=request, answer=answer)
    _insert(exchange, days=days)


@transaction.atomic(durable=True)
def _insert(exchange: Exchange, *, days: int) -> None:
    retention_lock.share()
    payer = payer_of_call(exchange.pk)
    days = min(days, queries.retention_days(payer.payers))
    if days > 0:
        exchange.cost_centre_id = payer.cost_centre_id
        exchange.expires_at = exchange.created_at + timedelta(days=days)
        Exchange.objects.bulk_create([exchange], ignore_conflicts=True)


@sensitive_variables()
def look_at_exchange(charge_id: int, *, actor: Actor, now: datetime) -> queries.KeptExchange | None:
    """The exchange of a call, for a person to read; who views it is recorded first.

    None, and no record, if it was not kept or has expired. Refusal: CannotUnseal.
    """
    allocations = (
        queries.unexpired_exchanges(now=now)
        .filter(pk=charge_id)
        .values_list("cost_centre", "charge__allocation__agent", "charge__allocation__session_id")
    )
    if not (row := allocations.first()):
        return None
    centre, agent, session = row
    with transaction.atomic():
        audit.record(
            actor=actor,
            action=Action.EXCHANGE_LOOK,
            subject=f"exchange:{charge_id}",
            related=[f"centre:{centre}", f"agent:{agent}", f"session:{session}"],
            at=now,
        )
    return queries.exchange_of(charge_id, now=now)


def forget_expired(*, now: datetime, batch: int = _BATCH) -> int:
    """Delete expired exchanges, `batch` at a time, and return how many were deleted."""
    deleted = 0
    while count := _delete_some(now, batch):
        deleted += count
    return deleted


@transaction.atomic
def _delete_some(now: datetime, batch: int) -> int:
    # By both clocks: the database refuses to delete what has not expired by its own clock.
    expired = Exchange.objects.filter(expires_at__lte=now).filter(expires_at__lte=TransactionNow())
    some = expired.order_by("expires_at").select_for_update(skip_locked=True)[:batch]
    count, _ = Exchange.objects.filter(pk__in=some.values("pk")).delete()
    return count
