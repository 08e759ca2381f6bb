"""Carry a payout on: send it once, and find out what came of it."""

import hashlib
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from treasury.ledger_days import ledger_day
from treasury.models import Payout, PayoutStatus
from treasury.rail_list import payout_rail, payout_rail_to_read
from treasury.rails.base import Answer, Order, Outcome, PayoutRail
from treasury.refusals import AccountOverdrawn, PayoutEnded
from treasury.services.ask_payout import end_undecided_payout
from treasury.services.payout_steps import (
    PAYER,
    book,
    change,
    lock_payout,
    move,
    set_aside,
    take_back,
)
from treasury.services.pending import void_pending
from treasury.services.rail_health import note_answer

_Status = PayoutStatus
# An answer takes less; after that, what was sent is looked up.
ANSWER_WITHIN = timedelta(minutes=2)
# A key is not used shortly before the vendor forgets it.
_MARGIN = timedelta(minutes=10)
_LOOK_EACH = timedelta(minutes=5)
_ASK_FIRST_SECONDS, _ASK_LAST = 30, timedelta(hours=1)
# The bank may send it back for a while.
_ASK_SETTLED, _ASK_SETTLED_FOR = timedelta(days=1), timedelta(days=30)
_STATUS = {
    Outcome.ACTION: _Status.NEEDS_PERSON,
    Outcome.ACCEPTED: _Status.ACCEPTED,
    Outcome.DECLINED: _Status.DECLINED,
    Outcome.REFUSED: _Status.REFUSED,
    Outcome.UNKNOWN: _Status.UNKNOWN,
}
_FORGOTTEN = (
    "The rail shows no such payout, and has forgotten its key. Look into the rail's own console, "
    "then say here whether it was made."
)
_OTHER_ACCOUNT = "The bank account of the rail was changed after this was asked for."


def advance_payout(payout_id: int, *, now: datetime) -> Payout:
    """Do the next thing for a payout: send it, or ask the rail what it has.

    Many may call it at once: each step has one winner. Refusals: RailNotFound, RailOff, WrongRail.
    """
    payout = Payout.objects.get(pk=payout_id)
    # Refused if another program has just taken this step.
    with suppress(PayoutEnded):
        _advance(payout, now=now)
    payout.refresh_from_db()
    return payout


def _advance(payout: Payout, *, now: datetime) -> None:
    if payout.status == _Status.PROPOSED:
        end_undecided_payout(payout.pk, ask_at=now + _LOOK_EACH, now=now)
    elif payout.status == _Status.APPROVED:
        _send(payout, now=now)
    elif payout.body and payout.ended_at is None:
        _ask(payout, now=now)


def _send(payout: Payout, *, now: datetime) -> None:
    """Send it, if no other program has begun the same attempt."""
    rail = payout_rail(payout.rail_account_id)
    begun = _begin(payout.pk, payout.attempts, rail, now=now)
    if begun is None:
        return
    answer = rail.payout(begun.body, key=str(begun.key))
    note_answer(begun.rail_account_id, answer, now=now)
    if begun.attempts > 1 and answer.outcome == Outcome.REFUSED:
        # It says nothing about the earlier request.
        answer = Answer(outcome=Outcome.UNKNOWN, code=answer.code, message=answer.message)
    apply_payout_answer(payout.pk, answer, now=now)


@transaction.atomic(durable=True)
def _begin(payout_id: int, attempts: int, rail: PayoutRail, *, now: datetime) -> Payout | None:
    """The payout, whose attempt is written down before the first byte leaves; None if another
    program has begun it, or it may not be sent."""
    payout = lock_payout(payout_id, _Status.APPROVED, _Status.SENDING, _Status.UNKNOWN)
    if payout.attempts != attempts:
        return None
    columns: dict[str, Any] = {"attempts": attempts + 1, "ask_at": now + ANSWER_WITHIN, "asks": 0}
    if payout.status == _Status.APPROVED:
        if rail.payout_destination != payout.destination:
            move(payout, _Status.REFUSED, note=_OTHER_ACCOUNT, actor=PAYER, now=now)
            return None
        try:
            # Within a savepoint: what the ledger refuses leaves nothing behind.
            with transaction.atomic():
                columns |= {"pending": set_aside(payout, now=now)}
        except AccountOverdrawn as refusal:
            move(payout, _Status.REFUSED, note=str(refusal), actor=PAYER, now=now)
            return None
        columns |= _request(payout, rail, now=now)
    if payout.status == _Status.SENDING:
        change(payout, **columns)
    else:
        move(payout, _Status.SENDING, actor=PAYER, now=now, **columns)
    return payout


def _request(payout: Payout, rail: PayoutRail, *, now: datetime) -> dict[str, Any]:
    order = Order(
        purchase=str(payout.key),
        amount=round(payout.amount, rail.scale),
        currency=payout.currency,
        payee=payout.destination,
    )
    body = rail.payout_body(order)
    return {
        "body": body,
        "body_sha256": hashlib.sha256(body.encode()).hexdigest(),
        "key_expires_at": now + rail.key_life,
    }


def _ask(payout: Payout, *, now: datetime) -> None:
    """Read what the rail has; only if it has nothing, send again with the same key."""
    rail = payout_rail_to_read(payout.rail_account_id)
    answer = rail.find_payout(str(payout.key), vendor_id=payout.vendor_id, since=payout.asked_at)
    note_answer(payout.rail_account_id, answer, now=now)
    if answer.outcome == Outcome.ABSENT:
        _absent(payout, now=now)
        return
    if answer.outcome == Outcome.REFUSED:
        # That it cannot be read says nothing about it.
        answer = Answer(outcome=Outcome.UNKNOWN, code=answer.code, message=answer.message)
    apply_payout_answer(payout.pk, answer, now=now)


def _absent(payout: Payout, *, now: datetime) -> None:
    if payout.status == _Status.SENDING and payout.ask_at and payout.ask_at > now:
        return  # its request is under way
    may_send = payout.status in (_Status.SENDING, _Status.UNKNOWN)
    if may_send and payout.key_expires_at and now + _MARGIN < payout.key_expires_at:
        _send(payout, now=now)
    elif may_send:
        _hand_over(payout.pk, now=now)
    else:
        apply_payout_answer(payout.pk, Answer(outcome=Outcome.UNKNOWN), now=now)


@transaction.atomic(durable=True)
def _hand_over(payout_id: int, *, now: datetime) -> None:
    payout = lock_payout(payout_id, _Status.SENDING, _Status.UNKNOWN)
    # It may still turn up.
    ask_at = now + _ASK_LAST
    move(payout, _Status.NEEDS_PERSON, note=_FORGOTTEN, actor=PAYER, now=now, ask_at=ask_at)


@transaction.atomic(durable=True)
def apply_payout_answer(payout_id: int, answer: Answer, *, now: datetime) -> Payout:
    """Carry a payout on by an answer of its rail; the same answer again changes nothing.

    What is definite is never undone by one that is not. Refusals: PayoutNotFound, PeriodClosed,
    AccountOverdrawn.
    """
    payout = lock_payout(payout_id)
    if payout.ended_at is not None:
        return payout
    if answer.vendor_id and not payout.vendor_id:
        change(payout, vendor_id=answer.vendor_id)
    note = ": ".join(filter(None, (answer.code, answer.message)))
    if payout.status == _Status.SETTLED:
        if answer.outcome == Outcome.DECLINED:
            take_back(payout, note=note, now=now)
    elif answer.outcome == Outcome.SETTLED:
        _settled(payout, answer, now=now)
    else:
        _carry(payout, _STATUS[answer.outcome], note=note, now=now)
    if payout.ended_at is None:
        change(payout, ask_at=_next_ask(payout, now), asks=payout.asks + 1)
    return payout


def _settled(payout: Payout, answer: Answer, *, now: datetime) -> None:
    if answer.amount is not None and answer.amount != payout.amount:
        note = f"The rail says that {answer.amount:f} was paid out."
        if payout.status != _Status.NEEDS_PERSON:
            move(payout, _Status.NEEDS_PERSON, note=note, actor=PAYER, now=now)
        return
    book(payout, actor=PAYER, now=now)


def _carry(payout: Payout, status: str, *, note: str, now: datetime) -> None:
    # Only the request that is under way can be refused, or have come to nothing.
    is_about_request = status in (_Status.UNKNOWN, _Status.REFUSED)
    if is_about_request and payout.status != _Status.SENDING or status == payout.status:
        return
    if status in (_Status.DECLINED, _Status.REFUSED) and payout.pending is not None:
        void_pending(payout.pending, effective_on=ledger_day(now), actor=PAYER, now=now)
    move(payout, status, note=note, actor=PAYER, now=now, asks=0)


def _next_ask(payout: Payout, now: datetime) -> datetime | None:
    if payout.status == _Status.SETTLED:
        later = now + _ASK_SETTLED
        is_over = payout.settled_at and later > payout.settled_at + _ASK_SETTLED_FOR
        return None if is_over else later
    pause = timedelta(seconds=_ASK_FIRST_SECONDS << min(payout.asks, 20))
    return now + min(pause, _ASK_LAST)
