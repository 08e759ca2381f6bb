"""Carry a refund on: send it once, and find out what came of it."""

import hashlib
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from treasury.ledger_days import ledger_day
from treasury.models import Collection, Purchase, PurchaseMethod, Refund, RefundStatus
from treasury.rail_list import rail_named, rail_to_read
from treasury.rails.base import Answer, Order, Outcome, Rail, RefundingRail
from treasury.refusals import AccountOverdrawn, RefundEnded
from treasury.services.ask_refund import end_undecided_refund
from treasury.services.book_refund import book_refund, set_refund_aside, take_refund_back
from treasury.services.pending import void_pending
from treasury.services.rail_health import note_answer
from treasury.services.refund_steps import REFUNDER, Paid, change, lock_refund, move

_Status = RefundStatus
# An answer takes less; after that, what was sent is looked up.
ANSWER_WITHIN = timedelta(minutes=2)
# A key is not used shortly before the vendor forgets it.
_MARGIN = timedelta(minutes=10)
_LOOK_EACH = timedelta(minutes=5)
_ASK_FIRST_SECONDS, _ASK_LAST = 30, timedelta(hours=1)
# A refund that was made can still fail, as when the payer's card was closed.
_ASK_SETTLED, _ASK_SETTLED_FOR = timedelta(days=1), timedelta(days=30)
_STATUS = {
    Outcome.ACTION: _Status.NEEDS_PERSON,
    Outcome.ACCEPTED: _Status.ACCEPTED,
    Outcome.DECLINED: _Status.DECLINED,
    Outcome.REFUSED: _Status.REFUSED,
    Outcome.UNKNOWN: _Status.UNKNOWN,
}
_FORGOTTEN = (
    "The rail shows no such refund, and has forgotten its key. Look into the rail's own console, "
    "then say here whether it was made."
)


def advance_refund(refund_id: int, *, now: datetime) -> Refund:
    """Do the next thing for a refund: send it, or ask the rail what it has.

    Many may call it at once: each step has one winner. Refusals: RailNotFound, RailOff.
    """
    refund = Refund.objects.select_related("purchase__payee").get(pk=refund_id)
    # Refused if another program has just taken this step.
    with suppress(RefundEnded):
        _advance(refund, now=now)
    refund.refresh_from_db()
    return refund


def _advance(refund: Refund, *, now: datetime) -> None:
    if refund.status == _Status.PROPOSED:
        end_undecided_refund(refund.pk, ask_at=now + _LOOK_EACH, now=now)
    elif refund.status == _Status.APPROVED:
        _send(refund, now=now)
    elif refund.body and refund.ended_at is None:
        _ask(refund, now=now)


def _send(refund: Refund, *, now: datetime) -> None:
    """Send it, if no other program has begun the same attempt."""
    rail = _refunding(refund, rail_named(refund.rail)) if _is_by_rail(refund) else None
    if rail is None:
        _hand_over(refund.pk, now=now)
        return
    begun = _begin(refund.pk, refund.attempts, rail, now=now)
    if begun is None:
        return
    answer = rail.refund(begun.body, key=str(begun.key))
    note_answer(begun.rail, answer, now=now)
    if begun.attempts > 1 and answer.outcome == Outcome.REFUSED:
        # It says nothing about the earlier request.
        answer = Answer(outcome=Outcome.UNKNOWN, code=answer.code, message=answer.message)
    apply_refund_answer(refund.pk, answer, now=now)


def _is_by_rail(refund: Refund) -> bool:
    """Whether the payment was made by a rail, not by a person or by the provider itself."""
    return refund.purchase is None or refund.purchase.payee.method == PurchaseMethod.RAIL


def _refunding(refund: Refund, rail: Rail) -> RefundingRail | None:
    return rail if isinstance(rail, RefundingRail) else None


@transaction.atomic(durable=True)
def _begin(refund_id: int, attempts: int, rail: RefundingRail, *, now: datetime) -> Refund | None:
    """The refund, whose attempt is written down before the first byte leaves; None if another
    program has begun it, or the ledger refuses it."""
    statuses = (_Status.APPROVED, _Status.SENDING, _Status.UNKNOWN)
    paid, refund = lock_refund(refund_id, *statuses)
    if refund.attempts != attempts:
        return None
    columns: dict[str, Any] = {"attempts": attempts + 1, "ask_at": now + ANSWER_WITHIN, "asks": 0}
    if refund.status == _Status.APPROVED:
        try:
            # Within a savepoint: what the ledger refuses leaves nothing behind.
            with transaction.atomic():
                pending = set_refund_aside(paid, refund, now=now)
        except AccountOverdrawn as refusal:
            move(refund, _Status.REFUSED, note=str(refusal), actor=REFUNDER, now=now)
            return None
        columns |= {"pending": pending, **_request(paid, refund, rail, now=now)}
    if refund.status == _Status.SENDING:
        change(refund, **columns)
    else:
        move(refund, _Status.SENDING, actor=REFUNDER, now=now, **columns)
    return refund


def _request(paid: Paid, refund: Refund, rail: RefundingRail, *, now: datetime) -> dict[str, Any]:
    order = Order(
        purchase=str(refund.key),
        amount=round(refund.amount, min(paid.debit.scale, paid.credit.scale)),
        currency=refund.currency,
        payee=refund.reason,
    )
    body = rail.refund_body(paid.vendor_id, order)
    life = rail_to_read(refund.rail).key_life
    return {
        "body": body,
        "body_sha256": hashlib.sha256(body.encode()).hexdigest(),
        "key_expires_at": now + life,
    }


def _ask(refund: Refund, *, now: datetime) -> None:
    """Read what the rail has; only if it has nothing, send again with the same key."""
    rail = _refunding(refund, rail_to_read(refund.rail))
    if rail is None:
        return
    answer = rail.find_refund(str(refund.key), vendor_id=refund.vendor_id, since=refund.asked_at)
    note_answer(refund.rail, answer, now=now)
    if answer.outcome == Outcome.ABSENT:
        _absent(refund, now=now)
        return
    if answer.outcome == Outcome.REFUSED:
        # That it cannot be read says nothing about it.
        answer = Answer(outcome=Outcome.UNKNOWN, code=answer.code, message=answer.message)
    apply_refund_answer(refund.pk, answer, now=now)


def _absent(refund: Refund, *, now: datetime) -> None:
    if refund.status == _Status.SENDING and refund.ask_at and refund.ask_at > now:
        return  # its request is under way
    may_send = refund.status in (_Status.SENDING, _Status.UNKNOWN)
    if may_send and refund.key_expires_at and now + _MARGIN < refund.key_expires_at:
        _send(refund, now=now)
    elif may_send:
        _hand_over(refund.pk, note=_FORGOTTEN, now=now)
    else:
        apply_refund_answer(refund.pk, Answer(outcome=Outcome.UNKNOWN), now=now)


@transaction.atomic(durable=True)
def _hand_over(refund_id: int, *, note: str = "", now: datetime) -> None:
    statuses = (_Status.APPROVED, _Status.SENDING, _Status.UNKNOWN)
    paid, refund = lock_refund(refund_id, *statuses)
    note = note or (
        f"{refund.rail} makes no refunds. Ask {_seller(refund)} for {refund.amount:.2f} "
        f"{refund.currency} of {paid.name.replace(':', ' ')}, then say here what came of it."
    )
    # It may still turn up with a rail that has it.
    ask_at = now + _ASK_LAST if refund.body else None
    move(refund, _Status.NEEDS_PERSON, note=note, actor=REFUNDER, now=now, ask_at=ask_at)


def _seller(refund: Refund) -> str:
    return refund.purchase.payee.provider_id if refund.purchase else "the vendor"


@transaction.atomic(durable=True)
def apply_refund_answer(refund_id: int, answer: Answer, *, now: datetime) -> Refund:
    """Carry a refund on by an answer of its rail; the same answer again changes nothing.

    What is definite is never undone by one that is not. Refusals: RefundNotFound, PeriodClosed.
    """
    paid, refund = lock_refund(refund_id)
    if refund.ended_at is not None:
        return refund
    if answer.vendor_id and not refund.vendor_id:
        change(refund, vendor_id=answer.vendor_id)
    note = ": ".join(filter(None, (answer.code, answer.message)))
    if refund.status == _Status.SETTLED:
        if answer.outcome == Outcome.DECLINED:
            take_refund_back(refund, note=note, now=now)
    elif answer.outcome == Outcome.SETTLED:
        _settled(paid, refund, answer, now=now)
    else:
        _carry(refund, _STATUS[answer.outcome], note=note, now=now)
    if refund.ended_at is None:
        change(refund, ask_at=_next_ask(refund, now), asks=refund.asks + 1)
    return refund


def _settled(paid: Paid, refund: Refund, answer: Answer, *, now: datetime) -> None:
    if answer.amount is not None and answer.amount != refund.amount:
        note = f"The rail says that {answer.amount:f} went back."
        if refund.status != _Status.NEEDS_PERSON:
            move(refund, _Status.NEEDS_PERSON, note=note, actor=REFUNDER, now=now)
        return
    book_refund(paid, refund, actor=REFUNDER, now=now)
    _look_at(refund, now=now)


def _look_at(refund: Refund, *, now: datetime) -> None:
    """The payment itself is read soon: what the vendor gave back by itself was not decided while
    this refund was under way."""
    if refund.collection_id is not None:
        Collection.objects.filter(pk=refund.collection_id).update(ask_at=now)
    else:
        Purchase.objects.filter(pk=refund.purchase_id or 0, ask_at__isnull=False).update(ask_at=now)


def _carry(refund: Refund, status: str, *, note: str, now: datetime) -> None:
    # Only the request that is under way can be refused, or have come to nothing.
    is_about_request = status in (_Status.UNKNOWN, _Status.REFUSED)
    if is_about_request and refund.status != _Status.SENDING or status == refund.status:
        return
    if status in (_Status.DECLINED, _Status.REFUSED) and refund.pending is not None:
        void_pending(refund.pending, effective_on=ledger_day(now), actor=REFUNDER, now=now)
    move(refund, status, note=note, actor=REFUNDER, now=now, asks=0)
    if refund.ended_at is not None:
        _look_at(refund, now=now)


def _next_ask(refund: Refund, now: datetime) -> datetime | None:
    if refund.status == _Status.SETTLED:
        later = now + _ASK_SETTLED
        is_over = refund.settled_at and later > refund.settled_at + _ASK_SETTLED_FOR
        return None if is_over else later
    pause = timedelta(seconds=_ASK_FIRST_SECONDS << min(refund.asks, 20))
    return now + min(pause, _ASK_LAST)
