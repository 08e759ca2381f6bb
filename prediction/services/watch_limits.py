"""Tell of limits that will be exhausted before their reset."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q

from alerts import services as alerts
from alerts.models import Alert, AlertRule
from common import formatting
from keys.books.queries.pages import Meter, budget_meters
from keys.models import ApiKey, Period, Window
from prediction.alert_kinds import LIMIT_RUNS_OUT
from prediction.queries.run_rates import last_hour, learned_paces
from prediction.run_rate.exhaustion import Burn, RunsOut, runs_out
from security.actor import Actor

_ACTOR = Actor.job("run rates")
# For so long after an alert, the next window of the same limit is not told of.
COOL_OFF = timedelta(hours=6)
# A limit that is exhausted in the last part of its window hardly matters.
_EARLY_MIN = 0.05
# Without an interval, so much of the window is over and so much of the limit is used.
_BEGINNING, _USED_MIN = 0.1, Decimal("0.5")
# The rule of a person about keys, which tells the same.
_KEY_RULE = "key_runs_out"


def watch_limits(*, now: datetime) -> int:
    """Raise an alert for each limit that will be exhausted before its reset, once in its window;
    resolve those that will last. Returns how many were raised."""
    found = {_key(meter): (meter, out) for meter, out in _running_out(now)}
    return _write(found, now=now)


def is_told(meter: Meter, out: RunsOut, *, now: datetime) -> bool:
    """Whether people are told: early enough in the window, and sure enough."""
    length = meter.resets_at - meter.starts_at
    if meter.free <= 0 or meter.resets_at - out.at < length * _EARLY_MIN:
        return False
    if out.earliest is not None:
        return out.is_sure
    used = meter.used >= (meter.amount + meter.granted) * _USED_MIN
    return used and now - meter.starts_at >= length * _BEGINNING


def _running_out(now: datetime) -> Iterator[tuple[Meter, RunsOut]]:
    """The limits that do not last until their reset."""
    meters = budget_meters(_windows(), now=now)
    paces = learned_paces({meter.scope for meter in meters}, now=now)
    burns = last_hour(now=now)
    for meter in meters:
        burn = burns.get(meter.scope, Burn()).of(meter.unit)
        learned = paces.get(meter.scope, {}).get(meter.unit)
        if out := runs_out(meter, burn, learned, now=now):
            yield meter, out


def _windows() -> Any:
    """Windows that end, of keys that are in use, of agents and of cost centres."""
    running = Window.objects.filter(limit__removed_at=None, amount__gt=0)
    running = running.exclude(limit__period=Period.TOTAL)
    keys = Q(limit__api_key__status=ApiKey.Status.ACTIVE)
    if AlertRule.objects.enabled().filter(kind=_KEY_RULE).exists():
        return running.filter(limit__api_key=None)
    return running.filter(Q(limit__api_key=None) | keys)


@transaction.atomic(durable=True)
def _write(found: dict[str, tuple[Meter, RunsOut]], *, now: datetime) -> int:
    of_kind = Alert.objects.filter(kind=LIMIT_RUNS_OUT.slug)
    for key in of_kind.unresolved().values_list("dedup_key", flat=True):
        if key not in found:
            note = "The limit lasts until its reset, or its window is over."
            alerts.resolve_by_key(key, actor=_ACTOR, note=note, now=now)
    told = set(of_kind.filter(dedup_key__in=found).values_list("dedup_key", flat=True))
    recent = of_kind.filter(raised_at__gt=now - COOL_OFF)
    cooling = {key.rpartition(":")[0] for key in recent.values_list("dedup_key", flat=True)}
    raised = 0
    for key, (meter, out) in sorted(found.items()):
        is_new = key not in told and key.rpartition(":")[0] not in cooling
        if is_new and is_told(meter, out, now=now):
            raised += _raise(key, meter, out, now=now)
    return raised


def _key(meter: Meter) -> str:
    """Each window is an incident of its own."""
    return f"limit_runs_out:{meter.limit_id}:{meter.starts_at:%Y-%m-%dT%H.%M}"


def _raise(key: str, meter: Meter, out: RunsOut, *, now: datetime) -> bool:
    kind, _, slug = meter.scope.partition(":")
    free, whole = (
        formatting.quantity(each, unit=meter.unit)
        for each in (meter.free, meter.amount + meter.granted)
    )
    between = (
        f" (four times in five from {_clock(out.earliest)} to {_clock(out.latest)})"
        if out.earliest and out.latest
        else ""
    )
    _, is_new = alerts.raise_alert(
        kind=LIMIT_RUNS_OUT,
        dedup_key=key,
        title=f"The limit of {slug} will be exhausted before its reset",
        detail=f"{free} of {whole} are left. At this pace they are used up around "
        f"{_clock(out.at)} UTC{between}, and the limit resets at {_clock(meter.resets_at)} UTC.",
        facts={
            "window": meter.window_id,
            "unit": meter.unit,
            "period": meter.period,
            "out_at": out.at,
            "earliest": out.earliest,
            "latest": out.latest,
            "resets_at": meter.resets_at,
            **({"cost_centre": slug} if kind == "centre" else {}),
        },
        key_id=slug if kind == "key" else None,
        agent_id=slug if kind == "agent" else None,
        now=now,
    )
    return is_new


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
