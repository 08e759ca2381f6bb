"""Top movers: the agents that spent more than usual in the last seven days, and why."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from keys.books.queries.spend import Spend, SpendPeriod

RECENT_DAYS = 7
USUAL_WEEKS = 3
DAYS = RECENT_DAYS * (USUAL_WEEKS + 1)
_DAY = timedelta(days=1)
# What is less than this of what all spent, or of what the agent usually spends, is no news.
_SHARE_MIN, _RISE_MIN = Decimal("0.01"), Decimal("0.2")


class Mover(NamedTuple):
    """An agent that spent `more` in the last seven days than in a usual week, and the reason in
    words. `peak`: the day of them on which it spent most."""

    agent: str
    cost: Decimal
    more: Decimal
    reason: str
    peak: date


def movers(periods: Iterable[SpendPeriod], *, today: date) -> list[Mover]:
    """Who spent more than usual, the largest rise first; `periods` are of days, by agent.

    A usual week is the mean of the three before. Without spend in the first of them there is
    nothing to compare with, and nobody is a mover.
    """
    days = list(periods)
    first_recent = today - (RECENT_DAYS - 1) * _DAY
    first = today - (DAYS - 1) * _DAY
    if not any(first <= each.starts < first + RECENT_DAYS * _DAY for each in days):
        return []
    recent, before = (
        _by_agent(each for each in days if since <= each.starts < until)
        for since, until in ((first_recent, today + _DAY), (first, first_recent))
    )
    total = sum((sum_of(each).cost for each in recent.values()), Decimal(0))
    found = [_mover(agent, spent, sum_of(before.get(agent, {}))) for agent, spent in recent.items()]
    moved = [
        each
        for each in found
        if each.more > total * _SHARE_MIN and each.more > (each.cost - each.more) * _RISE_MIN
    ]
    return sorted(moved, key=lambda each: (-each.more, each.agent))


def sum_of(days: dict[date, Spend]) -> Spend:
    """What the days add up to."""
    return sum(days.values(), Spend())


def _by_agent(periods: Iterable[SpendPeriod]) -> dict[str, dict[date, Spend]]:
    agents: dict[str, dict[date, Spend]] = defaultdict(dict)
    for period in periods:
        agents[period.group][period.starts] = period.spend
    return agents


def _mover(agent: str, days: dict[date, Spend], before: Spend) -> Mover:
    spend = sum_of(days)
    peak = max(days, key=lambda day: (days[day].cost, day))
    more = spend.cost - before.cost / USUAL_WEEKS
    return Mover(agent, spend.cost, more, _reason(spend, before), peak)


def _reason(spend: Spend, before: Spend) -> str:
    """The largest of the factors of a cost: calls, tokens of a call, cost of a token."""
    if not before.calls:
        return "It spent nothing in the three weeks before."
    if not (before.tokens and before.cost and spend.tokens):
        return "Its calls have a cost now."
    factors = [
        (Decimal(spend.calls * USUAL_WEEKS) / before.calls, "{} as many calls as usual"),
        (_rate(spend.tokens, spend.calls, before.tokens, before.calls), "{} the tokens in a call"),
        (_rate(spend.cost, spend.tokens, before.cost, before.tokens), "{} the cost of a token"),
    ]
    factor, words = max(factors, key=lambda each: each[0])
    return words.format(f"{factor:.1f} times") + "."


def _rate(
    part: Decimal | int, whole: int, part_before: Decimal | int, whole_before: int
) -> Decimal:
    """How many times the usual part of one it is."""
    return Decimal(part) / whole / (Decimal(part_before) / whole_before)
