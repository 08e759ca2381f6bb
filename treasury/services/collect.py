"""Ask payers for money, and find out what came of it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F

from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.ledger_days import ledger_day
from treasury.models import AccountKind, Collection, CollectionStatus, RailAccount, TransferKind
from treasury.rail_list import collecting_rail, collecting_rail_to_read
from treasury.rails.base import Answer, CollectingRail, Order, Outcome
from treasury.refusals import RailOff, WrongRail
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.fees import book_told_fee
from treasury.services.rail_health import note_answer
from treasury.services.rail_requests import (
    ANSWER_WITHIN,
    as_unknown,
    key_lives,
    next_ask,
    next_look_back,
    request_columns,
    words,
)
from treasury.services.record_funding import funding_account
from treasury.services.refunded_payment import paid_collection
from treasury.services.see_refunds import see_refunds
from treasury.services.transfer import Entry, transfer

_Status = CollectionStatus
COLLECTOR = Actor.job("collections")
# A payer's bank may take it back for a while.
_LOOK_BACK_FOR = timedelta(days=120)
# Orders and hosted pages have long expired by then.
_ASK_OPEN_FOR = timedelta(days=30)
_UNDER_WAY = (_Status.SENDING, _Status.UNKNOWN, _Status.ACTION, _Status.ACCEPTED)
_STATUS = {
    Outcome.ACTION: _Status.ACTION,
    Outcome.ACCEPTED: _Status.ACCEPTED,
    Outcome.SETTLED: _Status.SETTLED,
    Outcome.DECLINED: _Status.DECLINED,
    Outcome.REFUSED: _Status.REFUSED,
    Outcome.UNKNOWN: _Status.UNKNOWN,
}


def collect(  # noqa: PLR0913  (each by name)
    slug: str,
    amount: Decimal,
    *,
    purpose: str,
    key: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> Collection:
    """Ask a payer for money by a rail; the collection says where the payer pays.

    The row is committed before the first byte leaves. The same `key` is the same collection.
    Refusals: RailNotFound, RailOff, WrongRail.
    """
    collection = _create(slug, amount, purpose=purpose, key=key or uuid4(), actor=actor, now=now)
    return advance_collection(collection.pk, now=now)


def advance_collection(collection_id: int, *, now: datetime) -> Collection:
    """Do the next thing for a collection: send it, or ask the rail what it has.

    Many may call it at once. Refusals: RailNotFound, RailOff.
    """
    collection = Collection.objects.get(pk=collection_id)
    if collection.status == _Status.SENDING and collection.attempts == 0:
        return _send(collection, now=now)
    if collection.status in (*_UNDER_WAY, _Status.SETTLED):
        return _ask(collection, now=now)
    return collection


@transaction.atomic(durable=True)
def apply_collection_answer(collection_id: int, answer: Answer, *, now: datetime) -> Collection:
    """Carry a collection on by an answer of its rail; the same answer again changes nothing.

    What is definite is never undone by one that is not. Refusals: AccountOverdrawn, PeriodClosed.
    """
    collection = _lock(collection_id)
    is_first_answer = collection.status == _Status.SENDING
    if collection.status in _UNDER_WAY:
        _carry(collection, answer, now=now)
    elif collection.status == _Status.SETTLED and answer.outcome == Outcome.SETTLED:
        _look_back(collection, answer, now=now)
    collection.ask_at = _next_ask(collection, now)
    collection.asks = 0 if is_first_answer else collection.asks + 1
    collection.save()
    return collection


@transaction.atomic(durable=True)
def _create(
    slug: str, amount: Decimal, *, purpose: str, key: UUID, actor: Actor, now: datetime
) -> Collection:
    if earlier := Collection.objects.filter(key=key).first():
        return earlier
    rail = collecting_rail(slug)
    account = RailAccount.objects.select_for_update(no_key=True).get(pk=slug)
    if account.enabled_at is None:
        raise RailOff(rail=slug)
    if amount <= 0 or amount != round(amount, rail.scale):
        raise WrongRail(f"{slug} collects amounts with {rail.scale} decimal places.")
    if not purpose.strip():
        raise WrongRail("Say what the payer reads.")
    order = Order(
        purchase=str(key),
        amount=round(amount, rail.scale),
        currency=rail.currency,
        payee=purpose.strip()[:100],
    )
    body = rail.collect_body(order)
    collection = Collection.objects.create(
        rail_account=account,
        key=key,
        amount=order.amount,
        currency=order.currency,
        purpose=order.payee,
        asked_by=str(actor),
        asked_at=now,
        **request_columns(body, key_life=rail.key_life, now=now),
        ask_at=now,
    )
    _record(collection, actor=actor, now=now)
    return collection


def _send(collection: Collection, *, now: datetime) -> Collection:
    """Send it, if no other program has begun the same attempt."""
    rail = collecting_rail(collection.rail_account_id)
    if not _begin(collection, now=now):
        return Collection.objects.get(pk=collection.pk)
    answer = rail.collect(collection.body, key=str(collection.key))
    note_answer(collection.rail_account_id, answer, now=now)
    # What is refused says nothing about an earlier request.
    told = as_unknown(answer) if collection.attempts else answer
    return apply_collection_answer(collection.pk, told, now=now)


@transaction.atomic(durable=True)
def _begin(collection: Collection, *, now: datetime) -> bool:
    return bool(
        Collection.objects.filter(
            pk=collection.pk,
            attempts=collection.attempts,
            status__in=[_Status.SENDING, _Status.UNKNOWN],
        ).update(attempts=F("attempts") + 1, status=_Status.SENDING, ask_at=now + ANSWER_WITHIN)
    )


def _ask(collection: Collection, *, now: datetime) -> Collection:
    """Read what the rail has; take what the payer has agreed to; send again what it has not."""
    rail = collecting_rail_to_read(collection.rail_account_id)
    answer = rail.find(
        str(collection.key), vendor_id=collection.vendor_id, since=collection.asked_at
    )
    if answer.is_approved:
        answer = collecting_rail(collection.rail_account_id).capture(
            answer.vendor_id, key=str(collection.key)
        )
    note_answer(collection.rail_account_id, answer, now=now)
    if answer.outcome == Outcome.ABSENT:
        return _absent(collection, rail, now=now)
    # That it cannot be read says nothing about it.
    return apply_collection_answer(collection.pk, as_unknown(answer), now=now)


def _absent(collection: Collection, rail: CollectingRail, *, now: datetime) -> Collection:
    if collection.status == _Status.SENDING and collection.ask_at and collection.ask_at > now:
        return collection  # its request is under way
    if collection.status not in (_Status.SENDING, _Status.UNKNOWN):
        return apply_collection_answer(collection.pk, Answer(outcome=Outcome.UNKNOWN), now=now)
    if key_lives(collection.key_expires_at, now=now):
        return _send(collection, now=now)
    # Nobody can pay what the rail does not have, and nothing is sent any more.
    answer = Answer(outcome=Outcome.DECLINED, code="absent", message="The rail never had it.")
    return apply_collection_answer(collection.pk, answer, now=now)


def _lock(collection_id: int) -> Collection:
    return (
        Collection.objects.select_for_update(of=("self",), no_key=True)
        .select_related("rail_account", "transfer__debit", "transfer__credit")
        .get(pk=collection_id)
    )


def _carry(collection: Collection, answer: Answer, *, now: datetime) -> None:
    collection.vendor_id = collection.vendor_id or answer.vendor_id
    collection.note = words(answer)[:300]
    collection.action_url = answer.action_url or collection.action_url
    status = _STATUS[answer.outcome]
    if status == _Status.UNKNOWN and collection.status != _Status.SENDING:
        return
    if status == _Status.REFUSED and collection.status != _Status.SENDING:
        return
    if status == _Status.SETTLED:
        _settle(collection, answer, now=now)
    if status != collection.status:
        before, collection.status = collection.status, status
        _record(collection, before=before, actor=COLLECTOR, now=now)


def _settle(collection: Collection, answer: Answer, *, now: datetime) -> None:
    """Book what has come, which is what the rail says."""
    rail, funding = _accounts(collection, now=now)
    entry = Entry(
        debit=rail,
        credit=funding,
        amount=answer.amount or collection.amount,
        kind=TransferKind.FUNDING,
        effective_on=ledger_day(now),
        reference=(answer.settled_id or answer.vendor_id)[:200],
        idempotency_key=f"{collection.address} came",
    )
    (collection.transfer,) = transfer([entry], actor=COLLECTOR, now=now)
    collection.settled_at, collection.settled_id = now, answer.settled_id
    book_told_fee(
        collection.transfer.debit,
        answer.fee,
        journal=collection.transfer.journal,
        reference=entry.reference,
        key=f"{collection.address} fee",
        actor=COLLECTOR,
        now=now,
    )


def _look_back(collection: Collection, answer: Answer, *, now: datetime) -> None:
    """Book what the vendor gave back, and what the payer's bank took back.

    A refund that is under way is waited for: the vendor may count it already.
    """
    paid = paid_collection(collection)
    if paid is None or paid.refunds().sent().exists():
        return
    see_refunds(paid, answer.refunded, now=now)
    if answer.is_reversed and not collection.reversed_at and (left := paid.booked_left()) > 0:
        _reverse(collection, left, now=now)


def _reverse(collection: Collection, amount: Decimal, *, now: datetime) -> None:
    """The payer's bank took it back: what was not refunded before."""
    rail, funding = _accounts(collection, now=now)
    entry = Entry(
        debit=funding,
        credit=rail,
        amount=amount,
        kind=TransferKind.REVERSAL,
        effective_on=ledger_day(now),
        reference=collection.settled_id,
        corrects=collection.transfer,
        idempotency_key=f"{collection.address} went back",
    )
    journal = collection.transfer.journal if collection.transfer else None
    transfer([entry], journal=journal, actor=COLLECTOR, now=now)
    collection.reversed_at = now
    collection.note = "The payer's bank took it back."


def _accounts(collection: Collection, *, now: datetime) -> tuple[str, str]:
    """The names of the rail's account and of where its money comes from, which are opened."""
    by: dict[str, Any] = {"actor": COLLECTOR, "now": now}
    scale = collecting_rail_to_read(collection.rail_account_id).scale
    terms = AccountTerms(
        name=collection.rail_account.address,
        kind=AccountKind.RAIL,
        currency=collection.currency,
        scale=scale,
    )
    rail, _ = open_account(terms, **by)
    name = funding_account(rail)
    kind = AccountKind.FUNDING
    open_account(AccountTerms(name=name, kind=kind, currency=collection.currency), **by)
    return rail.name, name


def _next_ask(collection: Collection, now: datetime) -> datetime | None:
    if collection.status == _Status.SETTLED and not collection.reversed_at:
        return next_look_back(collection.settled_at, lasts=_LOOK_BACK_FOR, now=now)
    if collection.status not in _UNDER_WAY or now > collection.asked_at + _ASK_OPEN_FOR:
        return None
    return next_ask(collection.asks, now=now)


def _record(collection: Collection, *, before: str = "", actor: Actor, now: datetime) -> None:
    audit.record(
        actor=actor,
        action=Action.COLLECTION_MOVE,
        subject=collection.address,
        related=[collection.rail_account.address],
        before={"status": before} if before else None,
        after={"status": collection.status, "amount": collection.amount},
        reason=collection.note or collection.purpose,
        at=now,
    )
