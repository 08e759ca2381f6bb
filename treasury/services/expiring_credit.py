"""Credit that ends on a day: record it, use it first, and post what is left at its end."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.ledger_days import ledger_day
from treasury.models import Account, AccountKind, ExpiringCredit, Payee, Transfer, TransferKind
from treasury.models.amounts import PLACES, ZERO
from treasury.queries.balances_of_credit import open_expiring
from treasury.queries.consumption import provider_of
from treasury.refusals import WrongExpiringCredit
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.balance_alerts import tell_of_expiry
from treasury.services.transfer import Entry, transfer

_ACTOR = Actor.job("expiring credit")


@transaction.atomic(durable=True)
def record_expiring_credit(  # noqa: PLR0913  (each by name)
    account_id: int,
    amount: Decimal,
    *,
    expires_at: datetime,
    is_granted: bool,
    reference: str,
    actor: Actor,
    now: datetime,
) -> tuple[ExpiringCredit, bool]:
    """Record that credit of a provider ends at a moment; the credit, and whether it is new.

    `is_granted`: the provider gave it, beside what was bought. Otherwise it is a part of the credit
    there is. The same `reference` is the same credit. Refusals: WrongExpiringCredit.
    """
    credit = Account.objects.select_for_update(no_key=True).get(pk=account_id)
    reference = reference.strip()[:200]
    if earlier := credit.expiring_credits.filter(reference=reference).first():
        if (earlier.amount, earlier.expires_at) != (amount, expires_at):
            raise WrongExpiringCredit(f"{reference} was recorded with another amount or end.")
        return earlier, False
    _check(credit, amount, expires_at, is_granted, reference, now=now)
    account = _open(credit, expires_at, actor=actor, now=now)
    source = _grants(credit, actor=actor, now=now) if is_granted else credit.name
    entry = Entry(
        debit=account.name,
        credit=source,
        amount=amount,
        kind=TransferKind.GRANT,
        effective_on=ledger_day(now),
        reference=reference,
        idempotency_key=f"{account.name} begins",
    )
    transfer([entry], actor=actor, now=now)
    row = ExpiringCredit.objects.create(
        account=account,
        credit_account=credit,
        amount=amount,
        expires_at=expires_at,
        is_granted=is_granted,
        reference=reference,
        recorded_by=str(actor),
        recorded_at=now,
    )
    audit.record(
        actor=actor,
        action=Action.EXPIRING_CREDIT_RECORD,
        subject=f"account:{account.pk}",
        after={"amount": amount, "expires_at": expires_at, "granted": is_granted},
        reason=reference,
        at=now,
    )
    return row, True


def _check(
    credit: Account,
    amount: Decimal,
    expires_at: datetime,
    is_granted: bool,
    reference: str,
    *,
    now: datetime,
) -> None:
    for wrong, sentence in (
        (credit.kind != AccountKind.CREDIT, f"{credit} is no credit of a provider."),
        (not reference, "Say how the provider names it."),
        (expires_at <= now, "It must end in the future."),
        (
            not amount.is_finite() or amount <= 0 or amount != round(amount, PLACES),
            f"The amount must be more than 0, with at most {PLACES} decimal places.",
        ),
        (
            not is_granted and amount.is_finite() and amount > credit.balance,
            f"Only {max(credit.balance, ZERO):f} of the credit has no end yet.",
        ),
    ):
        if wrong:
            raise WrongExpiringCredit(sentence)


def _open(credit: Account, expires_at: datetime, *, actor: Actor, now: datetime) -> Account:
    number = credit.expiring_credits.count() + 1
    terms = AccountTerms(
        name=f"expiring:{provider_of(credit)}:{expires_at:%Y-%m-%d}:{number}",
        kind=AccountKind.EXPIRING,
        currency=credit.currency,
    )
    return open_account(terms, actor=actor, now=now)[0]


def _grants(credit: Account, *, actor: Actor, now: datetime) -> str:
    """Where granted credit comes from; play money has an account of its own."""
    return _end_account("grants", AccountKind.FUNDING, credit, actor=actor, now=now)


def _end_account(name: str, kind: str, credit: Account, *, actor: Actor, now: datetime) -> str:
    is_play_money = Payee.objects.filter(credit_account=credit, is_play_money=True).exists()
    full = f"{'play-' if is_play_money else ''}{name}:{credit.currency.lower()}"
    open_account(AccountTerms(name=full, kind=kind, currency=credit.currency), actor=actor, now=now)
    return full


def draw_expiring(credit: Account, consumed: list[Transfer], *, actor: Actor, now: datetime) -> int:
    """Pay for consumption that was just posted from what expires, what ends first at first.

    Joins the caller's transaction, which holds the lock of consumption. What was consumed less than
    nothing (corrections) draws nothing. Returns how many transfers that took.
    """
    net = sum(
        (each.amount if each.credit_id == credit.pk else -each.amount for each in consumed), ZERO
    )
    entries = []
    for each in open_expiring(credit):
        if each.expires_at <= now:
            continue
        drawn = min(net, each.account.balance)
        if drawn <= 0:
            break
        entries.append(
            Entry(
                debit=credit.name,
                credit=each.account.name,
                amount=drawn,
                kind=TransferKind.DRAW,
                effective_on=ledger_day(now),
                reference=f"account:{credit.pk}",
                idempotency_key=f"{each.account.name} pays for transfer {consumed[0].pk}",
            )
        )
        net -= drawn
    if entries:
        transfer(entries, actor=actor, now=now)
    return len(entries)


def expire_credit(pk: int, *, now: datetime) -> bool:
    """Post what is left of credit whose end has come; whether it had not been done before."""
    with transaction.atomic(durable=True):
        row = (
            ExpiringCredit.objects.select_related("account", "credit_account")
            .select_for_update(of=("self",), no_key=True)
            .filter(pk=pk, ended_at=None, expires_at__lte=now)
            .first()
        )
        if row is None:
            return False
        _end(row, now=now)
        return True


def _end(row: ExpiringCredit, *, now: datetime) -> None:
    left = row.account.balance
    if left > 0:
        expired = _end_account(
            "expired", AccountKind.EXPIRED, row.credit_account, actor=_ACTOR, now=now
        )
        entry = Entry(
            debit=expired,
            credit=row.account.name,
            amount=left,
            kind=TransferKind.EXPIRY,
            effective_on=ledger_day(now),
            reference=row.reference,
            idempotency_key=f"{row.account.name} ends",
        )
        transfer([entry], actor=_ACTOR, now=now)
    ExpiringCredit.objects.filter(pk=row.pk).update(ended_at=now)
    row.ended_at = now
    audit.record(
        actor=_ACTOR,
        action=Action.EXPIRING_CREDIT_END,
        subject=f"account:{row.pk}",
        after={"expired": left},
        at=now,
    )
    tell_of_expiry(row, now=now)
