"""Carry a purchase on by one step, whatever it waits for."""

from contextlib import suppress
from datetime import datetime

from django.db import transaction

from treasury.models import Purchase, PurchaseStatus
from treasury.rail_list import paying_rail, rail_to_read
from treasury.rails.base import Answer, MatchingRail, Outcome, Rail, SentPayment
from treasury.refusals import PurchaseEnded
from treasury.services.apply_answer import apply_answer
from treasury.services.decide_payment import end_undecided
from treasury.services.purchase_steps import BUYER, PURCHASES, lock_purchase, move
from treasury.services.rail_health import note_answer
from treasury.services.rail_requests import ASK_LAST, forgotten, key_lives
from treasury.services.reserve_purchase import reserve_purchase
from treasury.services.send_purchase import (
    ask_person,
    give_up_waiting,
    is_sent_by_rail,
    send_purchase,
)

_Status = PurchaseStatus


def advance_purchase(purchase_id: int, *, now: datetime) -> Purchase:
    """Do the next thing for a purchase: reserve, send, or ask the rail what it has.

    Many may call it at once: each step has one winner. Refusals: RailNotFound, RailOff.
    """
    purchase = Purchase.objects.select_related("payee").get(pk=purchase_id)
    # Refused if another program has just taken this step.
    with suppress(PurchaseEnded):
        _advance(purchase, now=now)
    purchase.refresh_from_db()
    return purchase


def _advance(purchase: Purchase, *, now: datetime) -> None:
    match purchase.status:
        case _Status.PROPOSED:
            end_undecided(PURCHASES, purchase.pk, now=now)
        case _Status.APPROVED:
            reserve_purchase(purchase.pk, now=now)
        case _Status.RESERVED if not is_sent_by_rail(purchase):
            ask_person(purchase.pk, now=now)
        case _Status.RESERVED:
            send_purchase(purchase.pk, paying_rail(purchase.payee.rail), now=now)
        case _Status.SENDING:
            give_up_waiting(purchase.pk, now=now)
        case _ if purchase.body and is_sent_by_rail(purchase):
            _ask_rail(purchase, now=now)


def _ask_rail(purchase: Purchase, *, now: datetime) -> None:
    """Read what the rail has; only if it has nothing, send again with the same key."""
    answer = _found(rail_to_read(purchase.payee.rail), purchase, now=now)
    is_absent = answer.outcome == Outcome.ABSENT and purchase.status == _Status.UNKNOWN
    if is_absent and key_lives(purchase.key_expires_at, now=now):
        send_purchase(purchase.pk, paying_rail(purchase.payee.rail), now=now)
    elif is_absent:
        _hand_over(purchase.pk, now=now)
    else:
        apply_answer(purchase.pk, answer, now=now)
    note_answer(purchase.payee.rail, answer, now=now)


def _found(rail: Rail, purchase: Purchase, *, now: datetime) -> Answer:
    first = purchase.attempts.order_by("number").first()
    since = first.sent_at if first else purchase.reserved_at
    if not isinstance(rail, MatchingRail):
        return rail.find(str(purchase.key), vendor_id=purchase.vendor_id, since=since)
    others = Purchase.objects.filter(payee__rail=purchase.payee.rail).exclude(pk=purchase.pk)
    sent = SentPayment(
        amount=round(purchase.amount, rail.scale),
        vendor_id=purchase.vendor_id,
        sent_at=since or now,
        asked_at=now,
        taken=frozenset(others.exclude(vendor_id="").values_list("vendor_id", flat=True)),
    )
    return rail.match(sent)


@transaction.atomic(durable=True)
def _hand_over(purchase_id: int, *, now: datetime) -> None:
    purchase = lock_purchase(purchase_id, _Status.UNKNOWN)
    note = forgotten("payment", done="paid")
    # It may still turn up.
    ask_at = now + ASK_LAST
    move(purchase, _Status.NEEDS_PERSON, note=note, actor=BUYER, now=now, ask_at=ask_at)
