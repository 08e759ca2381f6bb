"""Carry a refund or a payout on: send it once, and find out what came of it."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from security.actor import Actor
from treasury.models import PaymentStatus
from treasury.rails.base import Answer, Outcome
from treasury.refusals import AccountOverdrawn
from treasury.services.decide_payment import change, end_undecided
from treasury.services.order_kind import OrderKind, OrderT, RailCalls, book, set_aside, take_back
from treasury.services.rail_health import note_answer
from treasury.services.rail_requests import (
    ANSWER_WITHIN,
    ASK_LAST,
    as_unknown,
    forgotten,
    key_lives,
    next_ask,
    next_look_back,
    request_columns,
    words,
)

_Status = PaymentStatus
_LOOK_EACH = timedelta(minutes=5)
# What was made can still fail, as when the payer's card or the bank account was closed.
_LOOK_BACK_FOR = timedelta(days=30)
_STATUS = {
    Outcome.ACTION: _Status.NEEDS_PERSON,
    Outcome.ACCEPTED: _Status.ACCEPTED,
    Outcome.DECLINED: _Status.DECLINED,
    Outcome.REFUSED: _Status.REFUSED,
    Outcome.UNKNOWN: _Status.UNKNOWN,
}


def advance_order(kind: OrderKind[OrderT], order_id: int, *, now: datetime) -> OrderT:
    """Do the next thing for an order: send it, or ask the rail what it has.

    Many may call it at once: each step has one winner. Refusals: RailNotFound, RailOff, WrongRail.
    """
    order = kind.model._default_manager.get(pk=order_id)
    # Refused if another program has just taken this step.
    with suppress(kind.ended):
        _advance(kind, order, now=now)
    order.refresh_from_db()
    return order


def _advance(kind: OrderKind[OrderT], order: OrderT, *, now: datetime) -> None:
    if order.status == _Status.PROPOSED:
        end_undecided(kind, order.pk, ask_at=now + _LOOK_EACH, now=now)
    elif order.status == _Status.APPROVED:
        _send(kind, order, now=now)
    elif order.body and order.ended_at is None:
        _ask(kind, order, now=now)


def _send(kind: OrderKind[OrderT], order: OrderT, *, now: datetime) -> None:
    """Send it, if no other program has begun the same attempt."""
    calls = kind.calls_to_send(order)
    if calls is None:
        _hand_over(kind, order.pk, now=now)
        return
    begun = _begin(kind, order.pk, order.attempts, calls, now=now)
    if begun is None:
        return
    answer = calls.send(begun.body, key=str(begun.key))
    note_answer(kind.rail(begun), answer, now=now)
    # What is refused says nothing about an earlier request.
    told = as_unknown(answer) if begun.attempts > 1 else answer
    apply_order_answer(kind, order.pk, told, now=now)


@transaction.atomic(durable=True)
def _begin(
    kind: OrderKind[OrderT],
    order_id: int,
    attempts: int,
    calls: RailCalls[OrderT],
    *,
    now: datetime,
) -> OrderT | None:
    """The order, whose attempt is written down before the first byte leaves; None if another
    program has begun it, or it may not be sent."""
    order = kind.lock(order_id, _Status.APPROVED, _Status.SENDING, _Status.UNKNOWN)
    if order.attempts != attempts:
        return None
    columns: dict[str, Any] = {"attempts": attempts + 1, "ask_at": now + ANSWER_WITHIN, "asks": 0}
    if order.status == _Status.APPROVED:
        try:
            columns |= _first_request(kind, order, calls, now=now)
        except (AccountOverdrawn, kind.wrong) as refusal:
            kind.move(order, _Status.REFUSED, note=str(refusal), actor=kind.job, now=now)
            return None
    if order.status == _Status.SENDING:
        change(order, **columns)
    else:
        kind.move(order, _Status.SENDING, actor=kind.job, now=now, **columns)
    return order


def _first_request(
    kind: OrderKind[OrderT], order: OrderT, calls: RailCalls[OrderT], *, now: datetime
) -> dict[str, Any]:
    if calls.problem:
        raise kind.wrong(calls.problem)
    # Within a savepoint: what the ledger refuses leaves nothing behind.
    with transaction.atomic():
        pending = set_aside(kind, order, now=now)
    body = calls.body(order)
    return {"pending": pending, **request_columns(body, key_life=calls.key_life, now=now)}


def _ask(kind: OrderKind[OrderT], order: OrderT, *, now: datetime) -> None:
    """Read what the rail has; only if it has nothing, send again with the same key."""
    calls = kind.calls_to_read(order)
    if calls is None:
        return
    answer = calls.find(str(order.key), vendor_id=order.vendor_id, since=order.asked_at)
    note_answer(kind.rail(order), answer, now=now)
    if answer.outcome == Outcome.ABSENT:
        _absent(kind, order, now=now)
    else:
        # That it cannot be read says nothing about it.
        apply_order_answer(kind, order.pk, as_unknown(answer), now=now)


def _absent(kind: OrderKind[OrderT], order: OrderT, *, now: datetime) -> None:
    if order.status == _Status.SENDING and order.ask_at and order.ask_at > now:
        return  # its request is under way
    may_send = order.status in (_Status.SENDING, _Status.UNKNOWN)
    if may_send and key_lives(order.key_expires_at, now=now):
        _send(kind, order, now=now)
    elif may_send:
        _hand_over(kind, order.pk, now=now)
    else:
        apply_order_answer(kind, order.pk, Answer(outcome=Outcome.UNKNOWN), now=now)


@transaction.atomic(durable=True)
def _hand_over(kind: OrderKind[OrderT], order_id: int, *, now: datetime) -> None:
    order = kind.lock(order_id, _Status.APPROVED, _Status.SENDING, _Status.UNKNOWN)
    # It may still turn up with a rail that has it.
    ask_at = now + ASK_LAST if order.body else None
    note = forgotten(kind.noun) if order.body else kind.task(order)
    kind.move(order, _Status.NEEDS_PERSON, note=note, actor=kind.job, now=now, ask_at=ask_at)


@transaction.atomic(durable=True)
def apply_order_answer(
    kind: OrderKind[OrderT], order_id: int, answer: Answer, *, now: datetime
) -> OrderT:
    """Carry an order on by an answer of its rail; the same answer again changes nothing.

    What is definite is never undone by one that is not. Refusals: `kind.missing`, PeriodClosed, and
    AccountOverdrawn for what is settled.
    """
    order = kind.lock(order_id)
    if order.ended_at is not None:
        return order
    if answer.vendor_id and not order.vendor_id:
        change(order, vendor_id=answer.vendor_id)
    if order.status in (_Status.SETTLED, _Status.RETURNING):
        if answer.outcome == Outcome.DECLINED:
            _failed_later(kind, order, note=words(answer), now=now)
    elif answer.outcome == Outcome.SETTLED:
        _settled(kind, order, answer, now=now)
    else:
        _carry(kind, order, _STATUS[answer.outcome], note=words(answer), now=now)
    if order.ended_at is None:
        change(order, ask_at=_next_ask(order, now), asks=order.asks + 1)
    return order


def _failed_later(kind: OrderKind[OrderT], order: OrderT, *, note: str, now: datetime) -> None:
    """Take it back, or have a person find out where its money is. It is tried again by then."""
    try:
        # Within a savepoint: what the ledger refuses leaves nothing behind.
        with transaction.atomic():
            take_back(kind, order, note=note, now=now)
    except AccountOverdrawn as refusal:
        if order.status != _Status.RETURNING:
            told = f"{note}. {refusal}" if note else str(refusal)
            kind.move(order, _Status.RETURNING, note=told, actor=kind.job, now=now, asks=0)


def _settled(kind: OrderKind[OrderT], order: OrderT, answer: Answer, *, now: datetime) -> None:
    if answer.amount is None or answer.amount == order.amount:
        book(kind, order, actor=kind.job, now=now)
        kind.has_decided(order, now=now)
    elif order.status != _Status.NEEDS_PERSON:
        note = f"The rail says that {answer.amount:f} {kind.moved}."
        kind.move(order, _Status.NEEDS_PERSON, note=note, actor=kind.job, now=now)


def _carry(
    kind: OrderKind[OrderT], order: OrderT, status: str, *, note: str, now: datetime
) -> None:
    # Only the request that is under way can be refused, or have come to nothing.
    is_about_request = status in (_Status.UNKNOWN, _Status.REFUSED)
    if is_about_request and order.status != _Status.SENDING or status == order.status:
        return
    if status in (_Status.DECLINED, _Status.REFUSED):
        kind.set_free(order, actor=kind.job, now=now)
    kind.move(order, status, note=note, actor=kind.job, now=now, asks=0)
    if order.ended_at is not None:
        kind.has_decided(order, now=now)


def _next_ask(order: OrderT, now: datetime) -> datetime | None:
    if order.status == _Status.SETTLED:
        return next_look_back(order.settled_at, lasts=_LOOK_BACK_FOR, now=now)
    return next_ask(order.asks, now=now)


@transaction.atomic(durable=True)
def confirm_order(
    kind: OrderKind[OrderT], order_id: int, *, reference: str, actor: Actor, now: datetime
) -> OrderT:
    """A person knows that it was made: it is booked. `reference`: how the other side names it.

    Refusals: `kind.wrong`, `kind.ended`, AccountOverdrawn, PeriodClosed.
    """
    if not reference.strip():
        raise kind.wrong(f"Say how {kind.named_by} names it.")
    order = kind.lock(order_id, _Status.NEEDS_PERSON)
    named = reference.strip()[:200]
    change(order, vendor_id=named, note=f"A person has seen it: {named}.")
    book(kind, order, actor=actor, now=now)
    return order
