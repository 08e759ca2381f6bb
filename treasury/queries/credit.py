"""How much credit there is, how long it lasts, and what a policy would have bought."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Q, Sum

from prediction.queries.run_rates import learned_paces, paces_in
from prediction.run_rate.exhaustion import LearnedPace, lasts
from treasury.auto_buy import decide
from treasury.bounds import Spent, left
from treasury.models import OPEN, Account, PurchasePolicy, PurchaseStatus
from treasury.models.amounts import ZERO
from treasury.queries.balances_of_credit import whole_credit
from treasury.queries.consumption import hourly_cost, provider_of

_BURN_DAYS = 7
# Later than that, nobody should rely on a pace.
_AHEAD_MAX = timedelta(days=366)


def effective_credit(policy: PurchasePolicy) -> Decimal:
    """The credit with all that was paid for or may be: what is open counts as if it were there."""
    under_way = policy.purchases.filter(
        Q(status__in=OPEN) | Q(status=PurchaseStatus.SETTLED, reversed_at=None)
    ).aggregate(sum=Sum("amount", default=ZERO))
    sum_under_way: Decimal = under_way["sum"]
    return whole_credit(Account.objects.get(pk=policy.credit_account_id)) + sum_under_way


@dataclass(frozen=True)
class Runway:
    """What a credit loses in a day, by the last seven days, and for how many days it lasts.

    `days`, and with it `least` and `most`, four times in five, follow the run rate of the provider.
    Where none was learned, or it says more than a year, `days` is that of the seven days, and
    `least` and `most` those of the most and of the least expensive of them. `days` is None if
    nothing is consumed, `most` if it may last longer than is forecast.
    """

    per_day: Decimal
    days: Decimal | None
    least: Decimal | None
    most: Decimal | None


def runway(credit: Account, *, whole: Decimal | None = None, now: datetime) -> Runway:
    """How long the credit lasts at this pace.

    `whole`: what there is, with what expires, if it is known already. A query less for a credit
    that was read with `with_provider_paces`.
    """
    since = now - timedelta(days=_BURN_DAYS)
    days = [ZERO] * _BURN_DAYS
    for hour, cost in hourly_cost(credit, since=since, until=now):
        days[min(max((hour - since).days, 0), _BURN_DAYS - 1)] += cost
    balance = max(whole_credit(credit) if whole is None else whole, ZERO)
    per_day = sum(days, ZERO) / _BURN_DAYS

    pace = _pace(credit, now)
    if pace and (out := lasts(balance, pace, now=now, until=now + _AHEAD_MAX)):
        return Runway(per_day, *(_days(each, now) for each in (out.at, out.earliest, out.latest)))

    def at_cost(cost: Decimal) -> Decimal | None:
        return round(balance / cost, 1) if cost > 0 else None

    return Runway(per_day, at_cost(per_day), at_cost(max(days)), at_cost(min(days)))


def _pace(credit: Account, now: datetime) -> LearnedPace | None:
    """How fast the provider's credit is used, as it was learned."""
    if hasattr(credit, "learned_paces"):
        return paces_in(credit, now=now).get("usd")
    scope = f"provider:{provider_of(credit)}"
    return learned_paces([scope], now=now).get(scope, {}).get("usd")


def _days(moment: datetime | None, now: datetime) -> Decimal | None:
    return None if moment is None else round(Decimal((moment - now) / timedelta(days=1)), 1)


class Bought(NamedTuple):
    """A purchase that a policy would have made."""

    at: datetime
    amount: Decimal
    credit: Decimal


@dataclass(frozen=True)
class DryRun:
    """What a policy would have bought in a time, and the least credit there would have been."""

    purchases: list[Bought]
    lowest: Decimal
    consumed: Decimal


def dry_run(policy: PurchasePolicy, *, since: datetime, until: datetime) -> DryRun:
    """Apply the policy to what was consumed in that time, hour by hour, from its target on.

    Each purchase becomes credit at once; approvals are given at once. Nothing is written.
    """
    tried = _untouched(policy)
    credit = lowest = policy.target
    consumed = ZERO
    bought: list[Bought] = []
    for hour, cost in hourly_cost(policy.credit_account, since=since, until=until):
        credit, consumed = credit - cost, consumed + cost
        lowest = min(lowest, credit)
        allowed = left(tried, _spent(bought, tried, hour))
        scale = policy.payee.scale
        decision = decide(tried, credit=credit, left=allowed, scale=scale, now=hour)
        if decision.amount:
            bought.append(Bought(hour, decision.amount, credit))
            credit += decision.amount
            tried.next_at = hour + timedelta(seconds=tried.cool_off_seconds)
    return DryRun(bought, lowest, consumed)


def _untouched(policy: PurchasePolicy) -> PurchasePolicy:
    """The terms of a policy, without what has happened to it."""
    values = {field.attname: getattr(policy, field.attname) for field in policy._meta.fields}
    untouched = PurchasePolicy(**values)
    untouched.paused_at, untouched.paused_reason = None, ""
    untouched.next_at, untouched.is_armed, untouched.is_automatic = None, True, True
    return untouched


def _spent(bought: list[Bought], policy: PurchasePolicy, now: datetime) -> Spent:
    zone = ZoneInfo(policy.zone)
    today = now.astimezone(zone).date()
    days = [(each.at.astimezone(zone).date(), each.amount) for each in bought]
    return Spent(
        of_day=sum((amount for day, amount in days if day == today), ZERO),
        of_month=sum(
            (amount for day, amount in days if day.replace(day=1) == today.replace(day=1)), ZERO
        ),
    )
