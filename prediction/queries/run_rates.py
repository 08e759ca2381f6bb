"""The paces that were learned."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import JSONObject

from keys.books.queries.spend import (
    SLICE_SECONDS,
    Spend,
    SpendFilter,
    slice_start,
    spend_by,
)
from keys.identity.queries.placements import placement_paths
from prediction.models import RunRate
from prediction.run_rate.exhaustion import Burn, LearnedPace
from prediction.run_rate.pace import from_json

# A pace that was not learned again for so long says nothing of now.
_FRESH = timedelta(hours=26)
_SLICE = timedelta(seconds=SLICE_SECONDS)
# The last hour by whole slices: the running one and the three before.
_BURN_SLICES = timedelta(minutes=45)


def learned_paces(
    scopes: Iterable[str], *, now: datetime
) -> Mapping[str, Mapping[str, LearnedPace]]:
    """The pace of each of `scopes` by unit, as far as one was learned; one query."""
    rows = RunRate.objects.filter(scope__in=list(scopes), learned_at__gt=now - _FRESH)
    found: dict[str, dict[str, LearnedPace]] = defaultdict(dict)
    for row in rows:
        pace = from_json(row.pace)
        found[row.scope][row.unit] = LearnedPace(pace, row.day, ZoneInfo(row.zone))
    return found


def with_paces(rows: QuerySet[Any], *, scope: Combinable) -> QuerySet[Any]:
    """The rows, each with what was learned of the scope that an expression names: for `paces_in`,
    without a query of its own."""
    learned = RunRate.objects.filter(scope=scope).order_by("unit")
    kept = JSONObject(unit="unit", zone="zone", day="day", pace="pace", at="learned_at")
    found: QuerySet[Any] = rows.annotate(learned_paces=ArraySubquery(learned.values_list(kept)))
    return found


def paces_in(row: Any, *, now: datetime) -> Mapping[str, LearnedPace]:
    """The paces of a row of `with_paces` by unit."""
    return {
        each["unit"]: LearnedPace(
            from_json(each["pace"]), date.fromisoformat(each["day"]), ZoneInfo(each["zone"])
        )
        for each in row.learned_paces
        if datetime.fromisoformat(each["at"]) > now - _FRESH
    }


def last_hour(*, now: datetime) -> Mapping[str, Burn]:
    """What each key, agent and cost centre used in an hour, by the slices of the last one, the
    running slice included; four queries."""
    which, hours = _hour_before(now)
    found: dict[str, Burn] = {}
    for kind in ("key", "agent"):
        for each in spend_by(which, by=kind):
            found[f"{kind}:{each.group}"] = burn_of(each.spend, hours)
    paths = placement_paths()
    centres: dict[str, Spend] = defaultdict(Spend)
    for each in spend_by(which, by="placement"):
        for slug in paths.get(each.group, ()):
            centres[f"centre:{slug}"] += each.spend
    return found | {scope: burn_of(spend, hours) for scope, spend in centres.items()}


def _hour_before(now: datetime) -> tuple[SpendFilter, Decimal]:
    """The slices of the last hour, and how many hours of them are over."""
    since = slice_start(now) - _BURN_SLICES
    hours = Decimal((now - since).total_seconds()) / 3600
    return SpendFilter(since, slice_start(now) + _SLICE), hours


def burn_of(spend: Spend, hours: Decimal) -> Burn:
    """What was used in an hour of so many."""
    return Burn(round(spend.tokens / hours, 0), round(spend.cost / hours, 9))
