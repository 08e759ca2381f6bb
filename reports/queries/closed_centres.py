"""What each cost centre has in closed months."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Self

from django.db.models import QuerySet, Sum

from keys.books.queries.spend import SpendFilter, spend_by
from keys.models import CostCentre
from reports.cost_split import BUCKET
from reports.models import CloseLine, CloseMarkUp, CloseShare, MonthClose
from reports.queries.charge_back import centre_costs, spent_within

_NOTHING = Decimal(0)
# By close and cost centre, in USD.
_Amounts = dict[tuple[int, str], Decimal]


class CentreClose(NamedTuple):
    """What a cost centre has in a closed month, in USD.

    `usage` is of the month itself, `corrections` are of months closed before, `shared` is what it
    took of shared costs less what it gave away, `mark_up` is what was added to all that, and
    `later` is what the books have of the month now beyond `usage`.
    """

    cost_centre: str
    calls: int
    tokens: int
    usage: Decimal
    corrections: Decimal
    shared: Decimal
    mark_up: Decimal
    later: Decimal

    @property
    def total(self) -> Decimal:
        """What the statement of the cost centre says."""
        return self.usage + self.corrections + self.shared + self.mark_up

    @classmethod
    def without_lines(cls, cost_centre: str) -> Self:
        """That of a cost centre that has nothing in the month."""
        return cls(cost_centre, 0, 0, *[_NOTHING] * 5)


def centres_of(close: MonthClose) -> list[CentreClose]:
    """The cost centres of a closed month, by name; four queries."""
    present = {
        group.group: group.spend.cost
        for group in spend_by(SpendFilter(close.starts_at, close.ends_at), by="cost_centre")
    }
    frozen = {each.cost_centre: each for each in frozen_centres([close.pk]).get(close.pk, [])}
    only_later = {
        name: CentreClose.without_lines(name)
        for name, cost in present.items()
        if cost and name not in frozen
    }
    return [
        centre._replace(later=present.get(name, _NOTHING) - centre.usage)
        for name, centre in sorted((only_later | frozen).items())
    ]


def frozen_centres(
    closes: Sequence[int],
    *,
    within: Sequence[str] | None = None,
    cost_centre: str | None = None,
) -> dict[int, list[CentreClose]]:
    """The cost centres of closed months by their ids, with `later` as 0; at most five queries.

    Those that only take a part of shared costs are among them. `within`: what was spent in these
    parts of the tree, wherever the cost centre is now. Shared costs and mark-ups are of a whole
    statement: they are left out where a part of its lines was spent elsewhere. `cost_centre`: this
    one alone.
    """
    costs = centre_costs(closes, within=within, cost_centre=cost_centre)
    shared, marked = _shares_and_mark_ups(closes)
    if within is not None:
        is_seen = _whole_statements(closes, within)
        shared = {key: amount for key, amount in shared.items() if is_seen(key)}
        marked = {key: amount for key, amount in marked.items() if is_seen(key)}
    rows = {(pk, row["cost_centre"]): row for pk, each in costs.items() for row in each}
    found: dict[int, list[CentreClose]] = {}
    for close, name in sorted(rows.keys() | shared.keys()):
        row = rows.get((close, name), {})
        if name != BUCKET and cost_centre in (None, name):
            centre = CentreClose(
                cost_centre=name,
                calls=row.get("calls", 0),
                tokens=row.get("tokens", 0),
                usage=row.get("usage", _NOTHING),
                corrections=row.get("corrections", _NOTHING),
                shared=shared.get((close, name), _NOTHING),
                mark_up=marked.get((close, name), _NOTHING),
                later=_NOTHING,
            )
            found.setdefault(close, []).append(centre)
    return found


def _shares_and_mark_ups(closes: Sequence[int]) -> tuple[_Amounts, _Amounts]:
    shares = CloseShare.objects.filter(close__in=closes)
    shared = _sums(shares, "target")
    for key, amount in _sums(shares, "source").items():
        shared[key] = shared.get(key, _NOTHING) - amount
    return shared, _sums(CloseMarkUp.objects.filter(close__in=closes), "cost_centre")


def _whole_statements(
    closes: Sequence[int], within: Sequence[str]
) -> Callable[[tuple[int, str]], bool]:
    """Whether all lines of a statement were spent in these parts of the tree; one without lines is
    where its cost centre is now."""
    lines = (
        CloseLine.objects.filter(close__in=closes).order_by().values_list("close", "cost_centre")
    )
    elsewhere = set(lines.exclude(spent_within(within)).distinct())
    inside = set(lines.filter(spent_within(within)).distinct())
    now = set(CostCentre.objects.filter(path__overlap=list(within)).values_list("pk", flat=True))
    return lambda key: key not in elsewhere and (key in inside or key[1] in now)


def _sums(rows: QuerySet[Any], name: str) -> _Amounts:
    """What rows add up to by their close and the cost centre in that column."""
    sums = rows.order_by().values("close", name).annotate(sum=Sum("amount"))
    return {(row["close"], row[name]): row["sum"] for row in sums}
