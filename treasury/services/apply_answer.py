"""Write down what a rail says about a purchase, whoever learnt of it first and how often."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from security.actor import Actor
from treasury.ledger_days import ledger_day
from treasury.models import (
    ENDED,
    Purchase,
    PurchaseAttempt,
    PurchasePolicy,
    PurchaseStatus,
    TransferKind,
)
from treasury.rails.base import Answer, Outcome
from treasury.services.decide_payment import change
from treasury.services.fees import book_told_fee
from treasury.services.purchase_exchange import (
    entries_back,
    post_purchase,
    rail_part,
    void_purchase,
)
from treasury.services.purchase_steps import (
    BUYER,
    count_decline,
    lock_with_policy,
    move,
    write_step,
)
from treasury.services.rail_requests import next_ask, next_look_back, words
from treasury.services.refunded_payment import paid_purchase
from treasury.services.see_refunds import see_refunds
from treasury.services.transfer import Entry, transfer

_Status = PurchaseStatus
_UNDER_WAY = (_Status.SENDING, _Status.UNKNOWN, _Status.ACCEPTED, _Status.NEEDS_PERSON)
# After it is credit, a payment can still come back.
_LOOK_BACK_FOR = timedelta(days=120)


@dataclass(frozen=True)
class _News:
    """An answer, and the locked rows that it is about."""

    policy: PurchasePolicy
    purchase: Purchase
    answer: Answer
    attempts: int
    actor: Actor
    now: datetime

    @property
    def note(self) -> str:
        """The rail's own words."""
        return words(self.answer)

    def is_under_way(self) -> bool:
        """Whether the rail was asked, and nothing definite is known yet."""
        return self.purchase.status in _UNDER_WAY and bool(self.purchase.body)

    def move(self, status: str, **columns: object) -> None:
        """Move the purchase, with the rail's words."""
        move(self.purchase, status, note=self.note, actor=self.actor, now=self.now, **columns)


@transaction.atomic(durable=True)
def apply_answer(
    purchase_id: int,
    answer: Answer,
    *,
    attempt_id: int | None = None,
    actor: Actor = BUYER,
    now: datetime,
) -> Purchase:
    """Carry a purchase on by an answer of its rail; the same answer again changes nothing.

    Answers may come late, twice and in any order: what is definite is never undone by one that is
    not. Refusals: PurchaseNotFound.
    """
    policy, purchase = lock_with_policy(purchase_id)
    attempts = _close_attempt(attempt_id, answer, now) or purchase.attempts.count()
    news = _News(policy, purchase, answer, attempts, actor, now)
    if answer.vendor_id and not purchase.vendor_id:
        change(purchase, vendor_id=answer.vendor_id)
    _STEPS[answer.outcome](news)
    _ask_later(purchase, now)
    return purchase


def _close_attempt(attempt_id: int | None, answer: Answer, now: datetime) -> int:
    """The number of the attempt that the answer belongs to; 0 if to none."""
    if attempt_id is None:
        return 0
    attempt = PurchaseAttempt.objects.get(pk=attempt_id)
    if attempt.answered_at is None:
        attempt.outcome, attempt.code = answer.outcome, answer.code[:100]
        attempt.message, attempt.answered_at = answer.message[:300], now
        attempt.save(update_fields=["outcome", "code", "message", "answered_at"])
    return attempt.number


def _unknown(news: _News) -> None:
    if news.purchase.status == _Status.SENDING:
        news.move(_Status.UNKNOWN, asks=0)


def _accepted(news: _News) -> None:
    if news.is_under_way() and news.purchase.status != _Status.ACCEPTED:
        news.move(_Status.ACCEPTED, asks=0)


def _action(news: _News) -> None:
    if news.is_under_way() and news.purchase.status != _Status.NEEDS_PERSON:
        news.move(_Status.NEEDS_PERSON, asks=0)


def _settled(news: _News) -> None:
    purchase, answer = news.purchase, news.answer
    if news.is_under_way():
        if answer.amount is not None and answer.amount != rail_part(purchase).amount:
            _contradict(news, f"The rail says that {answer.amount:f} was paid.")
            return
        settle(purchase, note=news.note, actor=news.actor, now=news.now)
        PurchasePolicy.objects.filter(pk=news.policy.pk).update(declines=0)
    elif purchase.status in ENDED and purchase.body:
        _contradict(news, f"The purchase was {purchase.status}, but the rail says it was paid.")
        return
    _book_fee(news)
    if answer.is_credited and purchase.status == _Status.SETTLED and not purchase.reversed_at:
        credit(purchase, actor=news.actor, now=news.now)
    _look_back(news)


def _book_fee(news: _News) -> None:
    """What the rail took besides, by the first answer that tells it."""
    purchase = news.purchase
    if purchase.settled_at:
        book_told_fee(
            purchase.payee.rail_account,
            news.answer.fee,
            journal=_journal(purchase),
            reference=purchase.vendor_id,
            key=f"{purchase.address} fee",
            actor=news.actor,
            now=news.now,
        )


def settle(purchase: Purchase, *, note: str, actor: Actor, now: datetime) -> None:
    """The money has left the rail. Joins the caller's transaction, with the purchase locked."""
    post_purchase(purchase, actor=actor, now=now)
    move(purchase, _Status.SETTLED, note=note, actor=actor, now=now, settled_at=now, asks=0)


def credit(purchase: Purchase, *, actor: Actor, now: datetime) -> None:
    """The provider shows the money as credit. As `settle`."""
    payee = purchase.payee
    entry = Entry(
        debit=payee.credit_account.name,
        credit=payee.transit_account.name,
        amount=purchase.amount,
        kind=TransferKind.PURCHASE,
        effective_on=ledger_day(now),
        reference=purchase.vendor_id,
        idempotency_key=f"{purchase.address} is credit",
    )
    transfer([entry], journal=_journal(purchase), actor=actor, now=now)
    move(purchase, _Status.CREDITED, actor=actor, now=now, credited_at=now)
    # The next one may be needed at once: less than the target is bought where a bound is lower.
    PurchasePolicy.objects.filter(pk=purchase.policy_id).update(is_armed=True)


def _look_back(news: _News) -> None:
    """Book what the vendor gave back of the credit, and what came back as a whole.

    A refund that is under way is waited for: the vendor may count it already.
    """
    purchase = news.purchase
    if not purchase.settled_at or purchase.reversed_at or purchase.refunds.sent().exists():
        return
    left = purchase.amount
    if paid := paid_purchase(purchase):
        see_refunds(paid, news.answer.refunded, now=news.now)
        left = paid.booked_left()
    if news.answer.is_reversed and left > 0:
        _reverse(news, left)


def _reverse(news: _News, amount: Decimal) -> None:
    """The money came back, from where it is now. The purchase stays what it is."""
    purchase, payee = news.purchase, news.purchase.payee
    was_credit = purchase.status == _Status.CREDITED
    paid = paid_purchase(purchase)
    entry = Entry(
        debit=payee.rail_account.name,
        credit=(payee.credit_account if was_credit else payee.transit_account).name,
        amount=amount,
        kind=TransferKind.REVERSAL,
        effective_on=ledger_day(news.now),
        reference=purchase.address,
        corrects=paid.transfer if paid else getattr(purchase.pending, "ended_by", None),
        idempotency_key=f"{purchase.address} came back",
    )
    entries = entries_back(purchase, entry, gone=purchase.amount - amount)
    transfer(entries, journal=_journal(purchase), actor=news.actor, now=news.now)
    change(purchase, reversed_at=news.now, ask_at=None)
    note = "The money came back to the rail."
    write_step(purchase, note=note, actor=news.actor, now=news.now)
    PurchasePolicy.objects.filter(pk=news.policy.pk).update(is_armed=True)


def _journal(purchase: Purchase) -> UUID | None:
    return purchase.pending.journal if purchase.pending else None


def _declined(news: _News) -> None:
    if news.is_under_way():
        _end(news, _Status.DECLINED)
    elif news.purchase.settled_at:
        _contradict(news, "The rail says it was declined, but it had said that it was paid.")


def _refused(news: _News) -> None:
    """Definite for this request only: an earlier one of the same purchase may have been paid."""
    if news.purchase.status != _Status.SENDING:
        return
    if news.attempts > 1:
        news.move(_Status.UNKNOWN, asks=0)
    else:
        _end(news, _Status.REFUSED)


def _end(news: _News, status: str) -> None:
    void_purchase(news.purchase, actor=news.actor, now=news.now)
    news.move(status)
    count_decline(news.policy, note=news.note, now=news.now)


def _absent(news: _News) -> None:
    """The rail has no such payment now: that is no proof that it will not have one."""


def _contradict(news: _News, sentence: str) -> None:
    """The rail says what cannot be: a person finds out. Written down once."""
    purchase = news.purchase
    if purchase.steps.filter(note=sentence).exists():
        return
    if purchase.status in (_Status.SENDING, _Status.UNKNOWN, _Status.ACCEPTED):
        columns = {"note": sentence, "actor": news.actor, "now": news.now}
        move(purchase, _Status.NEEDS_PERSON, **columns)  # type: ignore[arg-type]
    else:
        write_step(purchase, note=sentence, actor=news.actor, now=news.now)


_STEPS: dict[str, Callable[[_News], None]] = {
    Outcome.ACCEPTED: _accepted,
    Outcome.ACTION: _action,
    Outcome.SETTLED: _settled,
    Outcome.DECLINED: _declined,
    Outcome.REFUSED: _refused,
    Outcome.UNKNOWN: _unknown,
    Outcome.ABSENT: _absent,
}


def _ask_later(purchase: Purchase, now: datetime) -> None:
    """When the rail is asked next; never again if nothing can follow."""
    change(purchase, ask_at=_next_ask(purchase, now), asks=purchase.asks + 1)


def _next_ask(purchase: Purchase, now: datetime) -> datetime | None:
    if purchase.reversed_at or not purchase.body or purchase.status in ENDED:
        return None
    if purchase.credited_at:
        return next_look_back(purchase.credited_at, lasts=_LOOK_BACK_FOR, now=now)
    return next_ask(purchase.asks, now=now)
