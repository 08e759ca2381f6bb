"""Ask the rail for the payment: the attempt is committed before the first byte leaves."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from treasury.models import Purchase, PurchaseAttempt, PurchaseMethod, PurchaseStatus
from treasury.rails.base import Order, PayingRail
from treasury.services.apply_answer import apply_answer
from treasury.services.decide_payment import change
from treasury.services.purchase_exchange import rail_part
from treasury.services.purchase_steps import BUYER, lock_purchase, move
from treasury.services.rail_health import note_answer
from treasury.services.rail_requests import ANSWER_WITHIN, request_columns

_Status = PurchaseStatus


def send_purchase(purchase_id: int, rail: PayingRail, *, now: datetime) -> Purchase:
    """Send the payment of a purchase and write down the answer.

    The first of those who send at once wins; the others are refused. A purchase that is *unknown*
    is sent again with the same key and the same bytes. Refusals: PurchaseNotFound, PurchaseEnded.
    """
    attempt = _begin(purchase_id, rail, now=now)
    purchase = attempt.purchase
    answer = rail.pay(purchase.body, key=str(purchase.key))
    applied = apply_answer(purchase_id, answer, attempt_id=attempt.pk, now=max(now, _clock(now)))
    note_answer(rail.name, answer, now=now)
    return applied


@transaction.atomic(durable=True)
def ask_person(purchase_id: int, *, now: datetime) -> Purchase:
    """Make a task of a purchase that a person pays. Refusals: PurchaseNotFound, PurchaseEnded."""
    purchase = lock_purchase(purchase_id, _Status.RESERVED)
    payee = purchase.payee
    note = (
        f"Pay {purchase.amount:f} {purchase.currency} at {payee.destination} with the reference "
        f"{purchase.key}, then confirm it here with the number of the receipt."
    )
    move(purchase, _Status.NEEDS_PERSON, note=note, actor=BUYER, now=now)
    return purchase


@transaction.atomic(durable=True)
def give_up_waiting(purchase_id: int, *, now: datetime) -> bool:
    """Make a purchase *unknown* whose attempt has had no answer in time; whether it was one."""
    purchase = lock_purchase(purchase_id)
    last = purchase.attempts.order_by("-number").first()
    if purchase.status != _Status.SENDING or (last and last.sent_at + ANSWER_WITHIN > now):
        return False
    note = "The program that sent it has written no answer down."
    move(purchase, _Status.UNKNOWN, note=note, actor=BUYER, now=now, ask_at=now)
    return True


@transaction.atomic(durable=True)
def _begin(purchase_id: int, rail: PayingRail, *, now: datetime) -> PurchaseAttempt:
    purchase = lock_purchase(purchase_id, _Status.RESERVED, _Status.UNKNOWN)
    if purchase.status == _Status.RESERVED:
        body = rail.body(_order(purchase))
        change(purchase, **request_columns(body, key_life=rail.key_life, now=now))
    number = purchase.attempts.count() + 1
    note = "Sent." if number == 1 else "Sent again, with the same key and the same bytes."
    move(purchase, _Status.SENDING, note=note, actor=BUYER, now=now, ask_at=now + ANSWER_WITHIN)
    return PurchaseAttempt.objects.create(purchase=purchase, number=number, sent_at=now)


def _order(purchase: Purchase) -> Order:
    part = rail_part(purchase)
    return Order(
        purchase=str(purchase.key),
        amount=round(part.amount, purchase.payee.rail_account.scale),
        currency=part.currency,
        payee=purchase.payee.destination,
    )


def is_sent_by_rail(purchase: Purchase) -> bool:
    """Whether Butler pays, not a person."""
    return purchase.payee.method == PurchaseMethod.RAIL


def _clock(now: datetime) -> datetime:
    """The moment of the answer; that of the request where tests live in another year."""
    moment = timezone.now()
    return moment if timedelta(0) <= moment - now < timedelta(hours=1) else now
