"""Loops, stuck sessions and retry storms of now: the calls of the last minutes."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Max

from common import formatting
from keys.books.queries.spend import (
    SLICE_SECONDS,
    SpendFilter,
    slice_start,
    spend_by,
    spend_over_time,
)
from keys.models import Allocation, Charge
from prediction.anomalies import calls
from prediction.models import AnomalyKind
from prediction.queries.unusual_usage import Unusual

_SLICE = timedelta(seconds=SLICE_SECONDS)
_WEEK = timedelta(days=7)
_LOOK_BACK = timedelta(minutes=15)
# A loop that has ended for so long has ended.
_LOOP_ENDED = timedelta(minutes=6)
# At most so many charges of the last minutes, sessions that wait, and charges behind a gap.
_CHARGES_MAX, _WAITING_MAX, _GAPS_MAX, _AGENTS_MAX = 100_000, 500, 2_000, 50
# A session with fewer calls has hardly begun.
_CALLS_MIN = 3
_QUARTERS = 2


def unusual_calls(*, now: datetime) -> Iterator[Unusual]:
    """What the calls of the last minutes say, of each agent; the charges are read by their time."""
    recent = _recent(now)
    yield from _loops(recent, now)
    yield from _stuck({allocation for allocation, _, _ in recent}, now)
    yield from _storms(now)


def _recent(now: datetime) -> dict[tuple[int, str, str], list[calls.Call]]:
    """The calls of the last minutes by session and agent, in order."""
    rows = Charge.objects.filter(
        status=Charge.Status.SETTLED, settled_at__gt=now - _LOOK_BACK, settled_at__lte=now
    ).order_by("-settled_at", "-pk")
    columns = ("model", "input_tokens", "output_tokens", "request_digest")
    found: dict[tuple[int, str, str], list[calls.Call]] = defaultdict(list)
    named = rows.values_list(
        "allocation_id", "allocation__session_id", "allocation__agent_id", "settled_at", *columns
    )
    for pk, session, agent, at, model, given, made, digest in named[:_CHARGES_MAX]:
        call = calls.Call(at.timestamp(), model, given, made, digest and bytes(digest))
        found[pk, session, agent].append(call)
    for each in found.values():
        each.reverse()
    return found


def _loops(
    recent: dict[tuple[int, str, str], list[calls.Call]], now: datetime
) -> Iterator[Unusual]:
    for (_, session, agent), made in recent.items():
        found = calls.loop(made)
        if found is None or made[-1].at < (now - _LOOP_ENDED).timestamp():
            continue
        since = datetime.fromtimestamp(found.since, UTC)
        how = "each with an input that grows by the same" if found.is_growing else "nearly the same"
        yield Unusual(
            kind=AnomalyKind.LOOP,
            subject=f"agent:{agent}",
            words=f"{agent} made {found.calls} calls in a row since {since:%H:%M} UTC, {how}, the "
            f"last of {made[-1].input_tokens:,} tokens, in session {session}.",
            evidence={"calls": found.calls, "since": f"{since:%FT%TZ}", "session": session},
        )


def _stuck(busy: set[int], now: datetime) -> Iterator[Unusual]:
    waiting = list(
        Allocation.objects.filter(
            status=Allocation.Status.ACTIVE,
            expires_at__gt=now,
            used__gt=0,
            created_at__lt=now - timedelta(seconds=calls.STUCK_SECONDS_MIN),
        )
        .exclude(pk__in=busy)
        .order_by("-pk")
        .values_list("pk", "session_id", "agent_id")[:_WAITING_MAX]
    )
    last = {
        pk: (settled, count)
        for pk, settled, count in Charge.objects.filter(
            allocation_id__in=[row[0] for row in waiting], status=Charge.Status.SETTLED
        )
        .order_by()
        .values_list("allocation_id")
        .annotate(Max("settled_at"), Count("pk"))
    }
    limits: dict[str, float] = {}
    for pk, session, agent in waiting:
        settled, count = last.get(pk, (None, 0))
        if settled is None or count < _CALLS_MIN:
            continue
        if agent not in limits:
            if len(limits) >= _AGENTS_MAX:
                continue
            limits[agent] = calls.stuck_after(_gaps(agent))
        if (now - settled).total_seconds() > limits[agent]:
            usual = formatting.duration(timedelta(seconds=limits[agent]))
            yield Unusual(
                kind=AnomalyKind.STUCK,
                subject=f"agent:{agent}",
                words=f"Session {session} of {agent} settled its last call at {settled:%H:%M} UTC, "
                f"and is open. Three times its longest usual gap are {usual}.",
                evidence={"session": session, "since": f"{settled:%FT%TZ}", "calls": count},
            )


def _gaps(agent: str) -> list[float]:
    """The seconds between two calls in the agent's newest sessions."""
    newest = Allocation.objects.filter(agent=agent).order_by("-pk").values("pk")[:_AGENTS_MAX]
    rows = Charge.objects.filter(allocation_id__in=newest, status=Charge.Status.SETTLED)
    moments: dict[int, list[Any]] = defaultdict(list)
    for pk, at in rows.order_by().values_list("allocation_id", "settled_at")[:_GAPS_MAX]:
        moments[pk].append(at)
    return [
        (after - before).total_seconds()
        for each in map(sorted, moments.values())
        for before, after in zip(each, each[1:], strict=False)
    ]


def _storms(now: datetime) -> Iterator[Unusual]:
    until = slice_start(now) + _SLICE
    since = until - _QUARTERS * _SLICE
    failed = {
        each.group: (each.spend.released + each.spend.expired, each.spend.calls)
        for each in spend_by(SpendFilter(since, until), by="agent")
    }
    suspects = tuple(agent for agent, seen in failed.items() if calls.is_storm(*seen, 0))
    if not suspects:
        return
    usual = _usual_failures(suspects, since)
    for agent in suspects:
        count, settled = failed[agent]
        if calls.is_storm(count, settled, usual.get(agent, 0)):
            yield Unusual(
                kind=AnomalyKind.STORM,
                subject=f"agent:{agent}",
                words=f"{count:,} calls of {agent} came to nothing since {since:%H:%M} UTC, and "
                f"{settled:,} were answered. In a week, the most of half an hour were "
                f"{usual.get(agent, 0):,}.",
                evidence={"failed": count, "settled": settled, "usual": usual.get(agent, 0)},
            )


def _usual_failures(agents: tuple[str, ...], until: datetime) -> dict[str, int]:
    """The most calls of half an hour that came to nothing in the week before."""
    which = SpendFilter(until - _WEEK, until, agents=agents)
    found: dict[tuple[str, int], int] = defaultdict(int)
    for each in spend_over_time(which, step="quarter", zone=ZoneInfo("UTC"), by="agent"):
        if isinstance(each.starts, datetime):
            half = (until - each.starts - _SLICE) // (_QUARTERS * _SLICE)
            found[each.group, half] += each.spend.released + each.spend.expired
    most: dict[str, int] = {}
    for (agent, _), count in found.items():
        most[agent] = max(most.get(agent, 0), count)
    return most
