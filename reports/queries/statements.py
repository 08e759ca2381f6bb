"""Charge-back statements: what a cost centre pays for a closed month."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet, Sum

from keys.books.queries.spend import SpendFilter, spend_total
from reports.models import (
    CLOSED_MEASURES,
    CloseLine,
    CloseMarkUp,
    CloseShare,
    MonthClose,
    StatementNote,
)
from reports.queries.charge_back import spent_within
from reports.queries.closed_centres import CentreClose, frozen_centres

_MILLION = 1_000_000
_ALL = Decimal(100)
_NOTHING = Decimal(0)
USAGE, CORRECTION, SHARE, MARK_UP = "usage", "correction", "share", "mark-up"
_SUMS = ("usage", "corrections", "shared", "mark_up", "total")
# The parts that the cost centre spent itself.
OWN_PARTS = (USAGE, CORRECTION)


class StatementLine(NamedTuple):
    """What one agent used with one model for one label, in tokens and USD; or a part of shared
    costs, or a mark-up, which have neither calls nor tokens.

    `part` is the part of the total that it belongs to, and `what` says so in words. `corrects` is
    the month that a correction is of, such as `2026-03`; blank for all others. `cached_tokens` and
    `cache_write_tokens` are among the `input_tokens`.
    """

    part: str
    what: str
    cost: Decimal
    corrects: str = ""
    agent: str = ""
    model: str = ""
    label: str = ""
    calls: int | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    tokens: int | None = None

    @property
    def rate(self) -> Decimal | None:
        """What a million tokens cost on average; None without tokens."""
        return self.cost * _MILLION / self.tokens if self.tokens else None


class Statement(NamedTuple):
    """The statement of a cost centre for a closed month. Amounts are in USD.

    What the cost centre paid itself is in it, not what those below it paid; less what it gave to
    others, with what it took of shared costs and the mark-up: so each cent is in one statement.
    `previous` is what it had in the month before; None if that was not closed. `opening` is the
    sum of its statements since the fiscal year began, up to this one; None if the reader does not
    see all of those, or the month was locked before this was kept. `later` is what the
    books have of the month now beyond `usage`: it is in a later statement. Not `is_whole`: a part
    of the lines was spent in a part of the tree that the reader does not see, so those, shared
    costs, the mark-up and the note are left out.
    """

    close: MonthClose
    cost_centre: str
    lines: list[StatementLine]
    previous: CentreClose | None
    opening: Decimal | None
    later: Decimal
    note: StatementNote | None
    is_whole: bool = True

    @property
    def usage(self) -> Decimal:
        """The cost of calls of the month."""
        return self._part(USAGE)

    @property
    def corrections(self) -> Decimal:
        """What months closed before had changed by."""
        return self._part(CORRECTION)

    @property
    def shared(self) -> Decimal:
        """What it took of shared costs, less what it gave away."""
        return self._part(SHARE)

    @property
    def mark_up(self) -> Decimal:
        """What was added to its costs; below zero it is a discount."""
        return self._part(MARK_UP)

    @property
    def total(self) -> Decimal:
        """What the cost centre pays."""
        return sum((line.cost for line in self.lines), _NOTHING)

    @property
    def closing(self) -> Decimal | None:
        """What the cost centre pays of the fiscal year, up to the end of the month."""
        return None if self.opening is None else self.opening + self.total

    def sums(self) -> Iterator[tuple[str, Decimal]]:
        """The amounts of the statement by what they are, as its files name them."""
        for name in ("opening", *_SUMS, "closing"):
            amount = getattr(self, name)
            if amount is not None:
                yield f"{name.replace('_', '-').capitalize()} (USD)", amount

    def _part(self, part: str) -> Decimal:
        return sum((line.cost for line in self.lines if line.part == part), _NOTHING)


def statement(
    close: MonthClose, cost_centre: str, *, within: Sequence[str] | None = None
) -> Statement:
    """The statement of a cost centre: its frozen lines, and what the books have now; at most
    thirteen queries.

    `within`: what was spent in these parts of the tree, wherever the cost centre is now; None: all.
    """
    lines = statement_lines(close, cost_centre, within=within)
    which = SpendFilter(
        close.starts_at,
        close.ends_at,
        paying_centres=(cost_centre,),
        within=None if within is None else tuple(within),
    )
    usage = sum((line.cost for line in lines if line.part == USAGE), _NOTHING)
    note = StatementNote.objects.filter(close=close, cost_centre=cost_centre).first()
    is_whole = _is_whole(close, cost_centre, within)
    earlier = _earlier_months(close, cost_centre, within)
    return Statement(
        close=close,
        cost_centre=cost_centre,
        lines=lines,
        previous=next(
            (had for each, had in earlier.items() if each.ends_at == close.starts_at), None
        ),
        opening=_opening(close, earlier) if is_whole else None,
        later=spend_total(which).cost - usage,
        note=note if is_whole else None,
        is_whole=is_whole,
    )


def statement_lines(
    close: MonthClose, cost_centre: str, *, within: Sequence[str] | None = None
) -> list[StatementLine]:
    """The lines of a statement: usage, corrections, shared costs, mark-up; at most four queries."""
    lines = close.lines.filter(spent_within(within), cost_centre=cost_centre)
    own = _own_lines(_sums(lines))
    if not _is_whole(close, cost_centre, within):
        return own
    shares = close.shares.filter(Q(source=cost_centre) | Q(target=cost_centre))
    mark_ups = close.mark_ups.filter(cost_centre=cost_centre)
    return [
        *own,
        *_share_lines(shares, cost_centre),
        *map(_mark_up_line, mark_ups),
    ]


def _is_whole(close: MonthClose, cost_centre: str, within: Sequence[str] | None) -> bool:
    """Whether all lines of the statement were spent in these parts of the tree."""
    if within is None:
        return True
    lines = close.lines.filter(cost_centre=cost_centre)
    return not lines.exclude(spent_within(within)).exists()


def _sums(lines: QuerySet[CloseLine]) -> list[Mapping[str, Any]]:
    """The days of each group added up."""
    groups = ("corrects__month", "placement__path", "agent", "model_name", "label")
    sums = {f"{name}_sum": Sum(name) for name in CLOSED_MEASURES}
    rows = lines.order_by().values(*groups).annotate(**sums)
    return sorted(
        rows,
        key=lambda row: (
            str(row["corrects__month"] or ""),
            *_names(row),
            row["placement__path"],
        ),
    )


def _names(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["agent"], row["model_name"], row["label"]


def _own_lines(rows: Sequence[Mapping[str, Any]]) -> list[StatementLine]:
    """The lines, which say where the cost centre was if it was in several places."""
    has_moved = len({tuple(row["placement__path"]) for row in rows}) > 1
    return [
        _line(row, f", at {' / '.join(row['placement__path'])}" if has_moved else "")
        for row in rows
    ]


def _line(row: Mapping[str, Any], place: str) -> StatementLine:
    corrects = row["corrects__month"]
    month = f"{corrects:%Y-%m}" if corrects else ""
    figures = {
        name: row[f"{name}_sum"] for name in CLOSED_MEASURES if name in StatementLine._fields
    }
    agent, model, label = _names(row)
    return StatementLine(
        part=CORRECTION if month else USAGE,
        what=(f"Correction of {month}" if month else "Usage") + place,
        corrects=month,
        agent=agent,
        model=model,
        label=label,
        **figures,
    )


def _share_lines(shares: Iterable[CloseShare], cost_centre: str) -> Iterator[StatementLine]:
    given = [share.amount for share in shares if share.source == cost_centre]
    if given:
        yield StatementLine(SHARE, "Shared by rule", -sum(given, _NOTHING))
    for share in shares:
        if share.target == cost_centre:
            of = share.source or "unallocated costs"
            percent = f"{share.weight * _ALL / share.weights:.2f} %"
            what = f"Share of {of}: {percent}, {share.get_method_display()}"
            yield StatementLine(SHARE, what, share.amount)


def _mark_up_line(rule: CloseMarkUp) -> StatementLine:
    word = "Mark-up" if rule.percent > 0 else "Discount"
    percent = f"{abs(rule.percent):f}".rstrip("0").rstrip(".")
    return StatementLine(MARK_UP, f"{word} of {percent} %", rule.amount)


def _earlier_months(
    close: MonthClose, cost_centre: str, within: Sequence[str] | None
) -> dict[MonthClose, CentreClose | None]:
    """What the cost centre had in the month before, and in each earlier one of the fiscal year;
    None where the reader does not see the whole statement. At most six queries."""
    began = close.fiscal_year_began or close.month
    is_earlier = Q(ends_at=close.starts_at) | Q(month__gte=began, month__lt=close.month)
    closes = MonthClose.objects.standing().filter(is_earlier).in_bulk()
    lines = CloseLine.objects.filter(close__in=closes, cost_centre=cost_centre)
    hidden = (
        set()
        if within is None
        else set(lines.exclude(spent_within(within)).values_list("close", flat=True))
    )
    found = frozen_centres(list(closes), within=within, cost_centre=cost_centre)
    nothing = CentreClose.without_lines(cost_centre)
    return {
        each: None if pk in hidden else next(iter(found.get(pk, [])), nothing)
        for pk, each in closes.items()
    }


def _opening(close: MonthClose, earlier: Mapping[MonthClose, CentreClose | None]) -> Decimal | None:
    """The sum of the statements of the fiscal year before this one."""
    began = close.fiscal_year_began
    if began is None:
        return None
    of_year = [had for each, had in earlier.items() if each.month >= began]
    seen = [had.total for had in of_year if had]
    return sum(seen, _NOTHING) if len(seen) == len(of_year) else None
