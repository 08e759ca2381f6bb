"""How forecasts did: what they promised beside what came, in all and by group."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import NormalDist, median
from typing import NamedTuple

from django.db.models import OuterRef, QuerySet, Subquery

from prediction.models import Forecast, SettledWork

# The quantiles at which promises are compared with what came.
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_NORMAL = NormalDist()
_P90_SIGMAS, _P99_SIGMAS = _NORMAL.inv_cdf(0.9), _NORMAL.inv_cdf(0.99)


class Forecasted(NamedTuple):
    """Settled work that was forecast: whose, what was promised, what came, in tokens."""

    model: str
    agent: str
    kind: str
    p50: int
    p90: int
    tokens: int
    censored: bool
    p99: int | None = None


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
    columns = ("model", "agent", "kind", "p50", "p90", "tokens", "censored", "p99")
    stored = Forecast.objects.filter(pk=OuterRef("allocation__session_id")).values("p99")
    return [Forecasted(*row) for row in rows.annotate(p99=Subquery(stored)).values_list(*columns)]


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


def _within(found: Iterable[tuple[int, float, bool]]) -> float | None:
    known = [tokens <= most for tokens, most, cut in found if not cut or tokens > most]
    return sum(known) / len(known) if known else None


class Promise(NamedTuple):
    """What was promised of `share` of the work, and of which part of it that held; None if nothing
    is known."""

    share: float
    held: float | None


def reliability(found: Sequence[Forecasted]) -> list[Promise]:
    """For each of LEVELS the part of the work that needed no more than that quantile.

    Between P50, P90 and P99 a quantile is where a normal law of the logarithm has it.
    """
    return [Promise(level, within_quantile(found, level)) for level in LEVELS]


def within_quantile(found: Sequence[Forecasted], level: float) -> float | None:
    """The part of the work that needed no more than the quantile `level`, from 0.5 to 0.99."""
    sigmas = _NORMAL.inv_cdf(level)
    most = [(each, _quantile(each, sigmas)) for each in found]
    return _within(
        (each.tokens, tokens, each.censored) for each, tokens in most if tokens is not None
    )


def _quantile(each: Forecasted, sigmas: float) -> float | None:
    if sigmas <= _P90_SIGMAS:
        part = sigmas / _P90_SIGMAS
        return _between(each.p50, each.p90, part)
    if each.p99 is None:
        return None
    part = (sigmas - _P90_SIGMAS) / (_P99_SIGMAS - _P90_SIGMAS)
    return _between(each.p90, each.p99, part)


def _between(low: int, high: int, part: float) -> float:
    # The ends are whole numbers that were promised: rounding must not move them.
    if part in (0, 1):
        return high if part else low
    return float(max(low, 1) * (max(high, 1) / max(low, 1)) ** part)


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
