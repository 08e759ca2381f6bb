"""Open accounts."""

from dataclasses import asdict, dataclass
from datetime import datetime

from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.models import Account, AccountKind, NormalSide
from treasury.models.amounts import PLACES
from treasury.refusals import AccountDiffers

# Money comes from them, so they grow by credits.
_SOURCES = (AccountKind.FUNDING, AccountKind.OPENING)
# Their balance may be on either side: they take what comes from both. Credit is among them, because
# what was consumed, or came back to a rail, is true even if more was there once than is now.
_EITHER_SIDE = (
    AccountKind.CREDIT,
    AccountKind.FUNDING,
    AccountKind.OPENING,
    AccountKind.EXPENSE,
    AccountKind.EXPIRED,
    AccountKind.FEES,
    AccountKind.EXCHANGE,
    AccountKind.EXCHANGE_DIFFERENCE,
    AccountKind.ROUNDING,
    AccountKind.UNEXPLAINED,
)


@dataclass(frozen=True, kw_only=True)
class AccountTerms:
    """What an account is for ever: its name, kind and currency, and its decimal places."""

    name: str
    kind: str
    currency: str
    scale: int = PLACES


def open_account(terms: AccountTerms, *, actor: Actor, now: datetime) -> tuple[Account, bool]:
    """The account with these terms, and whether it is new. Joins the caller's transaction.

    Money on rails and in transit cannot be overdrawn; other accounts can stand on either side.
    Refusals: AccountDiffers.
    """
    account, is_new = Account.objects.get_or_create(
        name=terms.name,
        defaults={
            **asdict(terms),
            "normal_side": NormalSide.CREDIT if terms.kind in _SOURCES else NormalSide.DEBIT,
            "may_overdraw": terms.kind in _EITHER_SIDE,
            "created_at": now,
        },
    )
    if not is_new and terms != AccountTerms(
        name=account.name, kind=account.kind, currency=account.currency, scale=account.scale
    ):
        raise AccountDiffers(account=account.name)
    if is_new:
        audit.record(
            actor=actor,
            action=Action.ACCOUNT_OPEN,
            subject=f"account:{account.name}",
            after=asdict(terms),
            at=now,
        )
    return account, is_new
