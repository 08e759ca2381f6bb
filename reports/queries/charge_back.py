"""Charge-back: the rules of now, what they would do, and what closed months have frozen."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Any

from django.db.models import Q, QuerySet, Sum

from keys.books.queries.spend import SpendFilter, spend_by
from reports.cost_split import BUCKET, SplitPart, SplitRule, split_costs, unallocated
from reports.models import CloseLine, CostShare, MonthClose
from reports.month_periods import MonthPeriod

_NOTHING = Decimal(0)


def cost_shares() -> list[CostShare]:
    """The rules, that of the unallocated bucket first; two queries."""
    return list(CostShare.objects.prefetch_related("targets").order_by("source_id"))


def split_rules(shares: Iterable[CostShare], use: Mapping[str, Decimal]) -> list[SplitRule]:
    """The rules with the weights that they have if cost centres have used so much."""
    return [
        SplitRule(share.source_id or BUCKET, share.method, _weights(share, use)) for share in shares
    ]


def _weights(share: CostShare, use: Mapping[str, Decimal]) -> dict[str, Decimal]:
    is_fixed = share.method == CostShare.Method.FIXED
    return {
        each.cost_centre_id: (each.percent or _NOTHING)
        if is_fixed
        else use.get(each.cost_centre_id, _NOTHING)
        for each in share.targets.all()
    }


def unallocated_now(period: MonthPeriod) -> Decimal:
    """What would be unallocated if the month was locked now, by the rules of now; in USD.

    At most six queries.
    """
    shares = cost_shares()
    if not shares:
        return _NOTHING
    use = _spend(period.starts_at, period.ends_at)
    costs: Iterable[tuple[str, Decimal]] = use.items()
    closes = MonthClose.objects.standing().filter(ends_at__lte=period.starts_at)
    first = closes.order_by("starts_at").first()
    if first:
        # Periods of closed months touch: what changed since is the difference of two sums.
        before = _spend(first.starts_at, period.starts_at)
        frozen = ((name, -cost) for name, cost in _frozen(closes).items())
        costs = chain(costs, before.items(), frozen)
    return unallocated(split_costs(_summed(costs), split_rules(shares, use)))


def _summed(costs: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for name, cost in costs:
        sums[name] = sums.get(name, _NOTHING) + cost
    return sums


def _spend(since: datetime, until: datetime) -> dict[str, Decimal]:
    groups = spend_by(SpendFilter(since, until), by="cost_centre")
    return {group.group: group.spend.cost for group in groups}


def _frozen(closes: QuerySet[MonthClose]) -> dict[str, Decimal]:
    lines = CloseLine.objects.filter(close__in=closes).order_by()
    return dict(lines.values_list("cost_centre").annotate(cost=Sum("cost")))


def centre_costs(
    closes: Iterable[int],
    *,
    within: Sequence[str] | None = None,
    cost_centre: str | None = None,
) -> dict[int, list[Mapping[str, Any]]]:
    """The frozen `usage` and `corrections` of each cost centre, by close; one query.

    `within`: of what was spent in these parts of the tree; None: of all. `cost_centre`: of this one
    alone.
    """
    is_own = Q(corrects=None)
    is_asked = Q() if cost_centre is None else Q(cost_centre=cost_centre)
    rows = (
        CloseLine.objects.filter(spent_within(within), is_asked, close__in=closes)
        .order_by()
        .values("close", "cost_centre")
        .annotate(
            calls=Sum("calls"),
            tokens=Sum("tokens"),
            usage=Sum("cost", filter=is_own, default=_NOTHING),
            corrections=Sum("cost", filter=~is_own, default=_NOTHING),
        )
    )
    by_close: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_close.setdefault(row["close"], []).append(row)
    return by_close


def spent_within(within: Sequence[str] | None) -> Q:
    """The condition for lines of closed months that were spent in these parts of the tree."""
    return Q() if within is None else Q(placement__path__overlap=list(within))


def split_of(costs: Iterable[Mapping[str, Any]], shares: Iterable[CostShare]) -> list[SplitPart]:
    """How the rules split what cost centres cost in a month, with corrections of earlier ones."""
    rows = list(costs)
    use = {row["cost_centre"]: row["usage"] for row in rows}
    all_costs = {row["cost_centre"]: row["usage"] + row["corrections"] for row in rows}
    return split_costs(all_costs, split_rules(shares, use))
