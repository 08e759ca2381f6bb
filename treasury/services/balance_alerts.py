"""Tell people of balances that differ, cannot be read, run out or expire."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from alerts import services as alerts
from alerts.kinds import AlertKind
from common.formatting import dollars
from security.actor import Actor
from treasury.alert_kinds import (
    BALANCE_DIFFERS,
    BALANCE_UNREAD,
    CREDIT_EXPIRES,
    CREDIT_RUNS_OUT,
    PURCHASES_AT_CEILING,
)
from treasury.at_ceiling import Bought, ceiling_reached
from treasury.balances.compare import IN_A_ROW, differs
from treasury.models import (
    Account,
    BalanceSnapshot,
    ExpiringCredit,
    PurchaseMethod,
    PurchasePolicy,
)
from treasury.models.amounts import ZERO
from treasury.queries.balances_of_credit import (
    latest_readings,
    open_expiring,
    told_balance,
    whole_credit,
)
from treasury.queries.credit import runway

_ACTOR = Actor.job("balances")
_FAILURES = 3
# A purchase by a person takes days, so they are told while there are some left.
RUNWAY_DAYS_MIN = 3
_EXPIRY_DAYS = 30
_LOOK_BACK = timedelta(days=35)


def tell_of_balance(credit: Account, *, now: datetime) -> None:
    """Raise or resolve what the latest readings of a credit give reason to. Joins the caller's
    transaction, late in it."""
    latest = [(each.amount, each.ledger, each.in_transit) for each in latest_readings(credit, 2)]
    told = told_balance(credit)
    found = told.difference if told else ZERO
    _standing(
        BALANCE_DIFFERS,
        credit,
        is_due=len(latest) == IN_A_ROW and differs(latest),
        is_over=told is not None and not told.is_beyond,
        title=f"The provider's figure of {credit} differs by {dollars(abs(found))}",
        detail=_differing(latest, found),
        now=now,
    )
    rows = BalanceSnapshot.objects.filter(credit_account=credit)
    errors = list(rows.values_list("error", flat=True)[:_FAILURES])
    _standing(
        BALANCE_UNREAD,
        credit,
        is_due=len(errors) == _FAILURES and all(errors),
        is_over=not errors[0],
        title=f"The balance of {credit} cannot be read",
        detail=errors[0],
        now=now,
    )


def _differing(latest: list[tuple[Decimal, Decimal, Decimal]], found: Decimal) -> str:
    if not latest:
        return ""
    amount, ledger, transit = latest[0]
    return (
        f"The provider says {amount:.2f}, the ledger {ledger:.2f} USD, with {transit:.2f} in "
        f"transit: a difference of {found:+.2f}."
    )


@transaction.atomic(durable=True)
def watch_credit(account_id: int, *, now: datetime) -> None:
    """Raise or resolve all that concerns the pace of a credit: runway, bounds, ends."""
    credit = Account.objects.get(pk=account_id)
    policies = PurchasePolicy.objects.select_related("credit_account", "payee")
    policy = policies.filter(pk=account_id).first()
    tell_of_runway(credit, policy, now=now)
    if policy is not None:
        tell_of_ceiling(policy, now=now)
    for each in credit.expiring_credits.filter(ended_at=None).select_related(
        "account", "credit_account"
    ):
        tell_of_expiry(each, now=now)


def tell_of_runway(credit: Account, policy: PurchasePolicy | None, *, now: datetime) -> None:
    """Raise or resolve the alert of credit that runs out and is not bought by itself."""
    lasts = runway(credit, now=now)
    days = lasts.least if lasts.least is not None else lasts.days
    is_bought = policy is not None and _is_bought(policy)
    is_low = days is not None and days < RUNWAY_DAYS_MIN and not is_bought
    _standing(
        CREDIT_RUNS_OUT,
        credit,
        is_due=is_low,
        is_over=not is_low,
        title=f"{credit} lasts {days} days, and Butler does not buy it",
        detail=f"{whole_credit(credit):.2f} USD are left, of which {lasts.per_day:.2f} are used "
        "a day.",
        now=now,
    )


def _is_bought(policy: PurchasePolicy) -> bool:
    """Whether Butler or the provider buys the credit without a person."""
    is_reloaded = policy.payee.method == PurchaseMethod.VENDOR
    return policy.paused_at is None and (policy.is_automatic or is_reloaded)


def tell_of_ceiling(policy: PurchasePolicy, *, now: datetime) -> None:
    """Raise or resolve the alert of a policy that buys as much as it may, again and again."""
    rows = policy.purchases.filter(reserved_at__gte=now - _LOOK_BACK).order_by("reserved_at")
    bought = [
        Bought(each.reserved_at, each.amount, each.status)
        for each in rows
        if each.reserved_at is not None
    ]
    why = ceiling_reached(policy, bought, now=now)
    _standing(
        PURCHASES_AT_CEILING,
        policy.credit_account,
        is_due=bool(why),
        is_over=not why,
        title=f"{policy.credit_account} is bought as fast as its policy allows",
        detail=why,
        now=now,
    )


def tell_of_expiry(expiring: ExpiringCredit, *, now: datetime) -> None:
    """Raise or resolve the alert of credit that will not be used before it ends."""
    credit = expiring.credit_account
    days = Decimal((expiring.expires_at - now) / timedelta(days=1))
    left = _unused(expiring, days=max(days, ZERO), now=now)
    is_due = expiring.ended_at is None and days < _EXPIRY_DAYS and left > 0
    _standing(
        CREDIT_EXPIRES,
        credit,
        is_due=is_due,
        is_over=not is_due,
        title=f"{dollars(left)} of {expiring.account} will expire on {expiring.expires_at:%d %B}",
        detail="It is used before all other credit, but at the pace of the last seven days this "
        "much is left then.",
        now=now,
        part=str(expiring.pk),
    )


def _unused(expiring: ExpiringCredit, *, days: Decimal, now: datetime) -> Decimal:
    """What is left at its end, after what ends before it."""
    before = sum(
        (
            each.account.balance
            for each in open_expiring(expiring.credit_account)
            if (each.expires_at, each.pk) < (expiring.expires_at, expiring.pk)
        ),
        ZERO,
    )
    per_day = runway(expiring.credit_account, now=now).per_day
    used = max(per_day * days - before, ZERO)
    return max(expiring.account.balance - used, ZERO)


def _standing(  # noqa: PLR0913  (each by name)
    kind: AlertKind,
    credit: Account,
    *,
    is_due: bool,
    is_over: bool,
    title: str,
    detail: str,
    now: datetime,
    part: str = "",
) -> None:
    dedup_key = ":".join(filter(None, (kind.slug, str(credit.pk), part)))
    if is_due:
        alerts.raise_alert(
            kind=kind,
            dedup_key=dedup_key,
            title=title,
            detail=detail,
            facts={"account_id": credit.pk, "policy_id": credit.pk},
            now=now,
        )
    elif is_over:
        alerts.resolve_by_key(dedup_key, actor=_ACTOR, note="It is over.", now=now)
