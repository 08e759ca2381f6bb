"""What tells refunds and payouts apart, and the move of one from a status to the next."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from alerts import services as alerts
from alerts.kinds import AlertKind
from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.ledger_days import ledger_day
from treasury.models import ENDED, MoneyOrder, PaymentStatus, Transfer, TransferKind
from treasury.rails.base import Answer
from treasury.services.decide_payment import PaymentKind, change
from treasury.services.pending import UNTIL_KNOWN, begin_pending, post_pending
from treasury.services.purchase_exchange import rail_key
from treasury.services.transfer import Entry, transfer

OrderT = TypeVar("OrderT", bound=MoneyOrder)
# A person must do something, and an alert says what.
_WAITS = (PaymentStatus.NEEDS_PERSON, PaymentStatus.RETURNING)


@dataclass(frozen=True, kw_only=True)
class RailCalls(Generic[OrderT]):
    """The calls of a rail that make an order, and find it again.

    `body`: the request in full, without a call. `send`: as `RefundingRail.refund`. `find`: as
    `Rail.find`. `problem`: why the order cannot be sent by this rail, in a sentence.
    """

    body: Callable[[OrderT], str]
    send: Callable[..., Answer]
    find: Callable[..., Answer]
    key_life: timedelta
    problem: str = ""


class OrderKind(PaymentKind[OrderT], Protocol[OrderT]):
    """One kind of money orders.

    `noun`: what people call one. `moved`: what its money did, as in "10.00 went back". `named_by`:
    who else has a name for it. `waits`: the alert of one that waits for a person.
    """

    noun: str
    moved: str
    named_by: str
    model: type[OrderT]
    action: Action
    waits: AlertKind
    not_sent: tuple[str, ...] = (PaymentStatus.PROPOSED, PaymentStatus.APPROVED)

    def rail(self, order: OrderT) -> str:
        """The name of its rail."""

    def calls_to_send(self, order: OrderT) -> RailCalls[OrderT] | None:
        """How its rail makes it; None: a person does it. Refusals: RailNotFound, RailOff,
        WrongRail."""

    def calls_to_read(self, order: OrderT) -> RailCalls[OrderT] | None:
        """How its rail is asked, also if it is switched off. Refusals: RailNotFound, WrongRail."""

    def task(self, order: OrderT) -> str:
        """What a person is asked to do about a locked one that its rail does not make."""
        return ""

    def is_set_aside(self, order: OrderT) -> bool:
        """Whether its money leaves the rail, so that it is set aside before it is sent."""
        return True

    def entries(self, order: OrderT, *, now: datetime) -> list[Entry]:
        """What a locked one moves: its own amount first."""

    def journal(self, order: OrderT) -> UUID | None:
        """The journal that its transfers belong to; None: one of its own."""
        return None

    def related(self, order: OrderT) -> list[str]:
        """What else its steps are about, in the audit."""

    def terms(self, order: OrderT) -> dict[str, object]:
        """What its steps say of it, in the audit."""
        return {"amount": order.amount, "currency": order.currency}

    def has_decided(self, order: OrderT, *, now: datetime) -> None:
        """Do what follows when the rail has said whether it was made."""
        return

    def move(
        self,
        payment: OrderT,
        status: str,
        *,
        note: str = "",
        actor: Actor,
        now: datetime,
        **columns: Any,
    ) -> None:
        """Set the status and the columns of a locked order, with its step in the audit and its
        alert. Joins the caller's transaction."""
        before = payment.status
        if status in ENDED:
            columns |= {"ended_at": now, "ask_at": None}
        change(payment, status=status, note=(note or payment.note)[:300], **columns)
        record_step(self, payment, before=before, reason=note, actor=actor, now=now)
        _tell(self, payment, before=before, now=now)


def record_step(
    kind: OrderKind[OrderT],
    order: OrderT,
    *,
    before: str = "",
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Write a step of an order into the audit; the first one has no status before it."""
    audit.record(
        actor=actor,
        action=kind.action,
        subject=order.address,
        related=kind.related(order),
        before={"status": before} if before else None,
        after={"status": order.status, **kind.terms(order)},
        reason=reason,
        at=now,
    )


def _tell(kind: OrderKind[OrderT], order: OrderT, *, before: str, now: datetime) -> None:
    key = f"{kind.waits.slug}:{order.pk}"
    if order.status in _WAITS:
        amount = f"{order.amount:.2f} {order.currency}"
        alerts.raise_alert(
            kind=kind.waits,
            dedup_key=key,
            title=f"A {kind.noun} waits for a person: {amount}",
            detail=order.note,
            facts={f"{kind.noun}_id": order.pk},
            now=now,
        )
    elif before in _WAITS:
        alerts.resolve_by_key(key, actor=kind.job, note=f"It is {order.status} now.", now=now)


def set_aside(kind: OrderKind[OrderT], order: OrderT, *, now: datetime) -> Transfer | None:
    """Set aside what leaves the rail, if it does. Joins the caller's transaction. Refusals:
    AccountOverdrawn, PeriodClosed."""
    if not kind.is_set_aside(order):
        return None
    return begin_pending(
        kind.entries(order, now=now),
        expires_at=now + UNTIL_KNOWN,
        journal=kind.journal(order),
        actor=kind.job,
        now=now,
    )[0]


def book(kind: OrderKind[OrderT], order: OrderT, *, actor: Actor, now: datetime) -> None:
    """The money of a locked order has moved. Joins the caller's transaction. Refusals:
    AccountOverdrawn, PeriodClosed."""
    if order.pending is not None:
        booked = post_pending(
            order.pending,
            effective_on=ledger_day(now),
            reference=order.vendor_id,
            actor=actor,
            now=now,
        )
    else:
        entries = kind.entries(order, now=now)
        booked = transfer(entries, journal=kind.journal(order), actor=actor, now=now)[0]
    columns: dict[str, Any] = {"transfer": booked, "settled_at": now}
    kind.move(order, PaymentStatus.SETTLED, note=order.note, actor=actor, now=now, **columns)


def take_back(kind: OrderKind[OrderT], order: OrderT, *, note: str, now: datetime) -> None:
    """An order that was settled has failed later: its money is back where it came from. Joins the
    caller's transaction. Refusals: AccountOverdrawn, PeriodClosed."""
    booked = order.transfer
    if booked is None:
        raise ValueError(f"{order} was never booked.")
    by_rail = Transfer.objects.filter(idempotency_key=rail_key(booked.idempotency_key))
    key = f"{order.address} failed"
    entries = [
        Entry(
            debit=each.credit.name,
            credit=each.debit.name,
            amount=each.amount,
            kind=TransferKind.REVERSAL,
            effective_on=ledger_day(now),
            reference=order.vendor_id,
            corrects=each,
            rate=each.rate,
            idempotency_key=key if each is booked else rail_key(key),
        )
        for each in (booked, *by_rail)
    ]
    returned = transfer(entries, journal=booked.journal, actor=kind.job, now=now)[0]
    declined = PaymentStatus.DECLINED
    kind.move(order, declined, note=note, actor=kind.job, now=now, returned=returned)
