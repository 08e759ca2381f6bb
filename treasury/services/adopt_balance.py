"""Set the ledger's credit to what the provider says, by two persons."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from keys.reasons import check_reason
from security import approvals
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated
from treasury.ledger_days import ledger_day
from treasury.models import Account, AccountKind, BalanceSnapshot, Transfer, TransferKind
from treasury.queries.balances_of_credit import told_balance
from treasury.refusals import WrongBalanceAccess
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.balance_alerts import tell_of_balance
from treasury.services.transfer import Entry, transfer

_OPENING, _UNEXPLAINED = "opening:usd", "unexplained:usd"


@transaction.atomic(durable=True)
def propose_adoption(
    account_id: int, *, reason: str, actor: Actor, now: datetime
) -> tuple[Approval, bool]:
    """Ask a second person to move the difference between the provider's latest figure and the
    ledger; the approval, and whether it is new. Refusals: WrongValue,
    WrongBalanceAccess."""
    check_reason(reason)
    credit = Account.objects.get(pk=account_id)
    told = told_balance(credit)
    if told is None or not told.difference:
        raise WrongBalanceAccess("The provider's figure does not differ from the ledger.")
    return security.ask_approval(
        kind=ADOPTION,
        subject=f"account:{credit.pk}",
        change={
            "account": credit.pk,
            "snapshot": told.snapshot.pk,
            "amount": format(told.difference, "f"),
        },
        effect=(
            f"{credit} changes by {told.difference:+f} USD, against "
            f"{_other(credit)}, since the provider says {told.snapshot.amount:f}."
        ),
        reason=reason,
        actor=actor,
        now=now,
    )


def _other(credit: Account) -> str:
    """What was there before Butler is an opening; a later difference is not explained."""
    began = Transfer.objects.filter(
        debit=credit, kind=TransferKind.OPENING
    ) | Transfer.objects.filter(credit=credit, kind=TransferKind.OPENING)
    first = BalanceSnapshot.objects.filter(credit_account=credit, error="").order_by("pk").first()
    is_new = first is not None and not began.exists()
    return _OPENING if is_new else _UNEXPLAINED


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    change = approval.change
    credit = Account.objects.select_for_update(no_key=True).get(pk=change["account"])
    amount, other = Decimal(change["amount"]), _other(credit)
    told = told_balance(credit)
    if told is None or abs(told.difference - amount) > abs(amount) / 10:
        raise ApprovalOutdated("The difference is another one now. Ask for it again.")
    kind = AccountKind.OPENING if other == _OPENING else AccountKind.UNEXPLAINED
    open_account(AccountTerms(name=other, kind=kind, currency="USD"), actor=actor, now=now)
    entry = Entry(
        debit=credit.name if amount > 0 else other,
        credit=other if amount > 0 else credit.name,
        amount=abs(amount),
        kind=TransferKind.OPENING if other == _OPENING else TransferKind.ADJUSTMENT,
        effective_on=ledger_day(now),
        reference=f"approval:{approval.pk}",
        idempotency_key=f"balance of snapshot {change['snapshot']}",
    )
    transfer([entry], actor=actor, now=now)
    tell_of_balance(credit, now=now)


ADOPTION = approvals.register(
    ApprovalKind(
        slug="credit_balance",
        meaning="Somebody asked to set the credit of a provider in the ledger to what the provider "
        "says. Approving moves the difference: the first time as the opening balance, later as "
        "unexplained.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)
