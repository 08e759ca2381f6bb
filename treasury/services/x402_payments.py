"""Sign what agents pay to services by x402: once, within their allowance."""

import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256

from django.db import transaction
from django.db.models import Q, Sum

from keys.books.queries.freezes import is_frozen_agent
from keys.models import Agent
from keys.refusals import Frozen, IdempotencyMismatch
from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.ledger_days import ledger_day
from treasury.models import (
    AccountKind,
    TransferKind,
    X402Allowance,
    X402Payment,
    X402Status,
)
from treasury.models.amounts import ZERO
from treasury.models.x402 import COUNTED
from treasury.rail_list import connect
from treasury.rails.x402.messages import (
    Asked,
    MessageError,
    NetworkRefusedError,
    Receipt,
    header_value,
    read_asked,
    read_receipt,
)
from treasury.rails.x402.networks import BY_NAME
from treasury.rails.x402.rail import X402Rail
from treasury.rails.x402.signing import Authorization
from treasury.refusals import (
    PaymentLimitReached,
    PaymentNetworkRefused,
    PaymentNotAllowed,
    PaymentNotFound,
    RailOff,
    WrongPaymentMessage,
    WrongRail,
)
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.pending import UNTIL_KNOWN, begin_pending, post_pending, void_pending
from treasury.services.transfer import Entry, transfer

_ACTOR = Actor.job("x402")
# Clocks differ, and a blockchain takes a while: the signature is not used after that.
_MARGIN = timedelta(minutes=5)
_AT_ONCE = 100


def sign_payment(
    agent: str, text: str, *, idempotency_key: str, actor: Actor, now: datetime
) -> tuple[X402Payment, bool]:
    """Set the amount of a 402 aside and sign its payment; returns it and whether it is new.

    `text`: the 402 as the service gave it. The same key is the same payment, with the same bytes,
    also after it has expired: a service that is paid with a second signature is paid twice.
    Refusals: WrongPaymentMessage, PaymentNetworkRefused, PaymentNotAllowed, PaymentLimitReached,
    AccountOverdrawn, RailOff, WrongRail, Frozen, IdempotencyMismatch.
    """
    try:
        asked = read_asked(text)
    except NetworkRefusedError as error:
        raise PaymentNetworkRefused(str(error)) from None
    except MessageError as error:
        raise WrongPaymentMessage(str(error)) from None
    return _sign(agent, text, asked, idempotency_key=idempotency_key, actor=actor, now=now)


@transaction.atomic(durable=True)
def _sign(
    agent: str, text: str, asked: Asked, *, idempotency_key: str, actor: Actor, now: datetime
) -> tuple[X402Payment, bool]:
    allowance = _lock_allowance(agent)
    digest = sha256(text.encode()).hexdigest()
    earlier = X402Payment.objects.filter(agent=agent, idempotency_key=idempotency_key).first()
    if earlier is not None:
        if earlier.asked_sha256 != digest:
            raise IdempotencyMismatch()
        return earlier, False
    _check(allowance, asked, now=now)
    expires_at = now + timedelta(seconds=asked.seconds)
    authorization, signature = _signature(allowance, asked, expires_at)
    payment = X402Payment(
        agent_id=agent,
        rail=allowance.rail,
        idempotency_key=idempotency_key,
        asked=text,
        asked_sha256=digest,
        resource=asked.resource,
        version=asked.version,
        network=f"eip155:{asked.network.chain_id}",
        pay_to=asked.pay_to,
        amount=asked.amount,
        payer=authorization.payer,
        nonce=authorization.nonce,
        header=header_value(asked, authorization, signature),
        signed_at=now,
        expires_at=expires_at,
    )
    (payment.pending,) = begin_pending(
        [_entry(payment, allowance.agent, now)], expires_at=now + UNTIL_KNOWN, actor=actor, now=now
    )
    payment.save(force_insert=True)
    _record(payment, Action.X402_SIGN, actor=actor, now=now)
    return payment, True


def _lock_allowance(agent: str) -> X402Allowance:
    allowance = (
        X402Allowance.objects.select_related("rail", "agent")
        .select_for_update(of=("self",), no_key=True)
        .filter(pk=agent)
        .first()
    )
    if allowance is None:
        raise PaymentNotAllowed(
            "The agent may not pay services. Ask the finance department for an allowance."
        )
    return allowance


def _check(allowance: X402Allowance, asked: Asked, *, now: datetime) -> None:
    if is_frozen_agent(allowance.pk):
        raise Frozen(scope=f"agent:{allowance.pk}")
    if allowance.rail.enabled_at is None:
        raise RailOff(rail=allowance.rail_id)
    if asked.pay_to not in allowance.payees:
        raise PaymentNotAllowed(f"{asked.pay_to} is not among the addresses that may be paid.")
    for bound, left in payment_room(allowance, now=now).items():
        if asked.amount > left:
            raise PaymentLimitReached(bound=bound, left=max(left, ZERO), amount=asked.amount)


def payment_room(allowance: X402Allowance, *, now: datetime) -> dict[str, Decimal]:
    """What each bound still allows, by its name in a sentence. Exact if the allowance is locked."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    sums = X402Payment.objects.filter(
        agent=allowance.pk, status__in=COUNTED, signed_at__gte=midnight.replace(day=1)
    ).aggregate(
        of_day=Sum("amount", filter=Q(signed_at__gte=midnight), default=ZERO),
        of_month=Sum("amount", default=ZERO),
    )
    return {
        "in one payment": allowance.per_payment_max,
        "today": allowance.daily_max - sums["of_day"],
        "this month": allowance.monthly_max - sums["of_month"],
    }


def _signature(
    allowance: X402Allowance, asked: Asked, expires_at: datetime
) -> tuple[Authorization, str]:
    rail = connect(allowance.rail)
    if not isinstance(rail, X402Rail):
        raise WrongRail(f"{allowance.rail_id} is no wallet of x402.")
    try:
        authorization = Authorization(
            payer=rail.address(),
            payee=asked.pay_to,
            value=asked.value,
            valid_after=0,
            valid_before=int(expires_at.timestamp()),
            nonce=f"0x{secrets.token_hex(32)}",
        )
        return authorization, rail.sign(asked.network, authorization)
    except ValueError as error:
        raise WrongRail(str(error)) from None


def _entry(payment: X402Payment, agent: Agent, now: datetime) -> Entry:
    """From the wallet to what the agent's cost centre spends on services."""
    name = f"expense:x402:{agent.cost_centre_id}"
    terms = AccountTerms(
        name=name,
        kind=AccountKind.EXPENSE,
        currency=X402Rail.currency,
        scale=X402Rail.scale,
    )
    open_account(terms, actor=_ACTOR, now=now)
    return Entry(
        debit=name,
        credit=f"rail:{payment.rail_id}",
        amount=payment.amount,
        kind=TransferKind.SERVICE,
        effective_on=ledger_day(now),
        reference=payment.resource[:200],
        idempotency_key=f"x402 {payment.nonce}",
    )


@transaction.atomic(durable=True)
def settle_payment(
    payment_id: int, text: str, *, agent: str, actor: Actor, now: datetime
) -> X402Payment:
    """Write down what the service says came of a payment: paid, or not.

    A service that says it was not paid may still use the signature, so the amount stays set aside
    until that has expired. The same receipt again changes nothing. Refusals: PaymentNotFound,
    WrongPaymentMessage.
    """
    payment = (
        X402Payment.objects.select_related("pending__debit", "pending__credit")
        .select_for_update(of=("self",), no_key=True)
        .filter(pk=payment_id, agent=agent)
        .first()
    )
    if payment is None:
        raise PaymentNotFound(payment_id=payment_id)
    receipt = _receipt(payment, text)
    if payment.status == X402Status.SETTLED:
        return payment
    if not receipt.is_settled:
        payment.last_error = receipt.error or "The service says that it was not paid."
        payment.save(update_fields=["last_error"])
        return payment
    _post(payment, actor=actor, now=now)
    payment.status, payment.settled_at = X402Status.SETTLED, now
    payment.transaction, payment.receipt, payment.last_error = receipt.transaction, text, ""
    payment.save(update_fields=["status", "settled_at", "transaction", "receipt", "last_error"])
    _record(payment, Action.X402_SETTLE, actor=actor, now=now)
    return payment


def _receipt(payment: X402Payment, text: str) -> Receipt:
    try:
        receipt = read_receipt(text)
    except MessageError as error:
        raise WrongPaymentMessage(str(error)) from None
    network = BY_NAME.get(receipt.network_name)
    if network is None or f"eip155:{network.chain_id}" != payment.network:
        raise WrongPaymentMessage("The receipt is of another network than the payment.")
    if receipt.payer and receipt.payer.lower() != payment.payer.lower():
        raise WrongPaymentMessage("The receipt names another payer than the wallet.")
    if receipt.is_settled and not receipt.transaction:
        raise WrongPaymentMessage("The receipt names no transaction.")
    return receipt


def _post(payment: X402Payment, *, actor: Actor, now: datetime) -> None:
    pending, day = payment.pending, ledger_day(now)
    if payment.status == X402Status.SIGNED:
        post_pending(pending, effective_on=day, reference=payment.address, actor=actor, now=now)
        return
    # It was given back before the receipt came.
    entry = Entry(
        debit=pending.debit.name,
        credit=pending.credit.name,
        amount=payment.amount,
        kind=TransferKind.SERVICE,
        effective_on=day,
        reference=payment.address,
        idempotency_key=f"{payment.address} was late",
    )
    transfer([entry], journal=pending.journal, actor=actor, now=now)


def expire_payments(*, now: datetime) -> int:
    """Give back what was signed and not used in time; how many payments that were."""
    due = X402Payment.objects.filter(status=X402Status.SIGNED, expires_at__lte=now - _MARGIN)
    numbers = due.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]
    return sum(_expire(pk, now=now) for pk in numbers)


@transaction.atomic(durable=True)
def _expire(payment_id: int, *, now: datetime) -> bool:
    payment = (
        X402Payment.objects.select_related("pending__debit", "pending__credit")
        .select_for_update(of=("self",), no_key=True)
        .get(pk=payment_id)
    )
    if payment.status != X402Status.SIGNED:
        return False
    void_pending(payment.pending, effective_on=ledger_day(now), actor=_ACTOR, now=now)
    payment.status, payment.ended_at = X402Status.EXPIRED, now
    payment.save(update_fields=["status", "ended_at"])
    _record(payment, Action.X402_EXPIRE, actor=_ACTOR, now=now)
    return True


def _record(payment: X402Payment, action: Action, *, actor: Actor, now: datetime) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=payment.address,
        related=[f"agent:{payment.agent_id}"],
        after={
            "status": payment.status,
            "amount": payment.amount,
            "pay_to": payment.pay_to,
            "resource": payment.resource,
            "transaction": payment.transaction,
        },
        at=now,
    )
