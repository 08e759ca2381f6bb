"""Learn how fast everything with a limit and every provider is used."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from django.db import transaction

from keys.books.queries.spend import SLICE_SECONDS, SpendFilter, slice_start, spend_columns
from keys.identity.queries.organisation import organisation
from keys.identity.queries.placements import placement_paths
from keys.limits import periods
from keys.models import Limit, Provider
from prediction.models import RunRate
from prediction.run_rate.pace import HISTORY_DAYS, Floats, learn

_DAY, _SLICE = timedelta(days=1), timedelta(seconds=SLICE_SECONDS)
# Rows of so many days are in memory at once.
_DAYS_AT_ONCE = 14 * _DAY
_UNITS = ("tokens", "usd")


class _Clock(NamedTuple):
    """The days that are looked at: from `since`, a midnight in `zone`, until `now`."""

    zone: ZoneInfo
    since: datetime
    now: datetime

    def place(self, moment: datetime) -> tuple[int, int]:
        """The day and the hour of a moment, by the clock of the zone."""
        clock = moment.astimezone(self.zone)
        return (clock.date() - self.since.astimezone(self.zone).date()).days, clock.hour


def learn_paces(*, now: datetime) -> int:
    """Learn the pace of each limit's scope and of each provider again; returns how many there are.

    Reads slices only. What has no limit or no usage any more is forgotten.
    """
    clock = _clock(now)
    rows = [
        RunRate(
            scope=scope,
            unit=unit,
            zone=clock.zone.key,
            day=now.astimezone(clock.zone).date(),
            pace=pace.as_json(),
            learned_at=now,
        )
        for scope, used in _used(clock).items()
        for unit, grid in zip(_UNITS, used, strict=True)
        if (pace := learn(grid, hour=clock.place(now)[1]))
    ]
    _keep(rows, now=now)
    return len(rows)


@transaction.atomic(durable=True)
def _keep(rows: list[RunRate], *, now: datetime) -> None:
    # In one order: two runs at once do not wait for each other crosswise.
    rows.sort(key=lambda row: (row.scope, row.unit))
    RunRate.objects.bulk_create(
        rows,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["scope", "unit"],
        update_fields=["zone", "day", "pace", "learned_at"],
    )
    RunRate.objects.filter(learned_at__lt=now).delete()


def _clock(now: datetime) -> _Clock:
    zone = ZoneInfo(organisation().reporting_zone)
    first = now - (HISTORY_DAYS - 1) * _DAY
    since, _ = periods.bounds(period="day", at=first, zone=zone.key, reset_hour=0)
    return _Clock(zone, since, now)


def _used(clock: _Clock) -> Mapping[str, Floats]:
    """What each scope used by unit, day and hour."""
    days = clock.place(clock.now)[0] + 1
    used: dict[str, Floats] = defaultdict(lambda: np.zeros((len(_UNITS), days, 24)))
    scopes = set(Limit.objects.filter(removed_at=None).values_list("scope", flat=True))
    groups: dict[str, Mapping[str, Sequence[str]]] = {
        "key": _named(scopes, "key"),
        "agent": _named(scopes, "agent"),
        "provider": {
            slug: [f"provider:{slug}"] for slug in Provider.objects.values_list("pk", flat=True)
        },
        "placement": {
            placement: [scope for slug in path if (scope := f"centre:{slug}") in scopes]
            for placement, path in placement_paths().items()
        },
    }
    for by, named in groups.items():
        for since, until in _spans(clock):
            _add(used, SpendFilter(since, until), by, named, clock)
    return used


def _named(scopes: set[str], kind: str) -> Mapping[str, Sequence[str]]:
    return {scope.partition(":")[2]: [scope] for scope in scopes if scope.startswith(f"{kind}:")}


def _spans(clock: _Clock) -> Iterator[tuple[datetime, datetime]]:
    """A few days each, from quarter to quarter."""
    since, end = clock.since, slice_start(clock.now) + _SLICE
    while since < end:
        until = min(since + _DAYS_AT_ONCE, end)
        yield since, until
        since = until


def _add(
    used: dict[str, Floats],
    which: SpendFilter,
    by: str,
    named: Mapping[str, Sequence[str]],
    clock: _Clock,
) -> None:
    shown = [group for group, scopes in named.items() if scopes]
    if not shown:
        return
    for row in spend_columns(which, step="hour", zone=clock.zone, by=by, shown=shown):
        if row.group is None or not isinstance(row.starts, datetime):
            continue
        day, hour = clock.place(row.starts)
        for scope in named[row.group]:
            used[scope][:, day, hour] += (row.tokens, float(row.cost))
