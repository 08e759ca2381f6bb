"""How forecasts did: what they promised beside what came, in all and by group."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from django.db.models import QuerySet

from prediction.models import SettledWork


class Forecasted(NamedTuple):
    """Settled work that was forecast: whose, what was promised, what came, in tokens."""

    model: str
    agent: str
    kind: str
    p50: int
    p90: int
    tokens: int
    censored: bool


class Outcome(NamedTuple):
    """Of `rows` pieces of work the shares within P50 and P90, the median error of P50 and the share
    that was cut off, each from 0 to 1. Work that was cut off within a quantile does not count for
    it, since nobody knows what it would have needed."""

    rows: int
    within_p50: float | None
    within_p90: float | None
    error: float | None
    censored: float


def forecasted(rows: QuerySet[SettledWork]) -> list[Forecasted]:
    """The rows that were forecast, from `prediction.queries.coverage.settled_forecasts`."""
    columns = ("model", "agent", "kind", "p50", "p90", "tokens", "censored")
    return [Forecasted(*row) for row in rows.values_list(*columns)]


def outcome(found: Sequence[Forecasted]) -> Outcome:
    """What came of forecasts."""
    complete = [each for each in found if not each.censored]
    errors = [abs(each.tokens - each.p50) / max(each.tokens, 1) for each in complete]
    return Outcome(
        len(found),
        _within((each.tokens, each.p50, each.censored) for each in found),
        _within((each.tokens, each.p90, each.censored) for each in found),
        median(errors) if errors else None,
        1 - len(complete) / len(found) if found else 0.0,
    )


def _within(found: Iterable[tuple[int, int, bool]]) -> float | None:
    known = [tokens <= most for tokens, most, cut in found if not cut or tokens > most]
    return sum(known) / len(known) if known else None


def outcomes_over_time(newest: Sequence[Forecasted], *, size: int) -> list[Outcome]:
    """What came of so many forecasts in a row each, the oldest first; the oldest of `newest`, which
    has the newest first, are left out if they are fewer."""
    whole = len(newest) // size
    blocks = [newest[place * size : (place + 1) * size] for place in range(whole)]
    return [outcome(block) for block in reversed(blocks)]


def outcomes(found: Sequence[Forecasted]) -> dict[tuple[str, str, str], Outcome]:
    """What came of the forecasts of each model, agent and kind, the most work first."""
    groups: dict[tuple[str, str, str], list[Forecasted]] = defaultdict(list)
    for each in found:
        groups[each.model, each.agent, each.kind].append(each)
    largest = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return {group: outcome(rows) for group, rows in largest}
