"""Tell of running parts that have left their forecast, and propose to stop hopeless ones."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from alerts import services as alerts
from alerts.kinds import AlertKind
from alerts.models import Alert
from orchestration.alert_kinds import PART_ABOVE_FORECAST, PART_HOPELESS
from orchestration.forecast_outlook import Outlook, outlook_of
from orchestration.models import Attempt
from prediction.models import Forecast
from prediction.queries.running_forecasts import forecasts_of, looping_sessions
from security.actor import Actor

_ACTOR = Actor.job("forecasts of parts")
_KINDS: Mapping[Outlook, AlertKind] = {"above": PART_ABOVE_FORECAST, "hopeless": PART_HOPELESS}
_MOST = 2_000


def watch_forecasts(*, now: datetime) -> int:
    """Raise an alert for each running attempt that leaves its forecast, and one for each that looks
    hopeless, once each; resolve those of attempts that have ended. Returns how many were raised.

    Nothing is stopped: a person decides.
    """
    running = Attempt.objects.filter(
        status=Attempt.Status.RUNNING, allocation__isnull=False, cancel_asked_at=None
    ).select_related("allocation", "task", "sub_task")
    attempts = list(running.order_by("pk")[:_MOST])
    forecasts = forecasts_of([each.session_id for each in attempts])
    looping = looping_sessions()
    found = {
        each: (forecast, outlook)
        for each in attempts
        if (forecast := forecasts.get(each.session_id))
        and (outlook := _outlook(each, forecast, is_looping=each.session_id in looping))
    }
    return _write(found, {_key(each) for each in attempts}, now=now)


def _outlook(attempt: Attempt, forecast: Forecast, *, is_looping: bool) -> Outlook:
    allocation: Any = attempt.allocation
    return outlook_of(
        used=allocation.used,
        budget=allocation.allocated,
        p50=forecast.p50 or 0,
        p90=forecast.p90 or 0,
        p99=forecast.p99 or 0,
        is_looping=is_looping,
    )


@transaction.atomic(durable=True)
def _write(
    found: Mapping[Attempt, tuple[Forecast, Outlook]], running: set[str], *, now: datetime
) -> int:
    of_kinds = Alert.objects.filter(kind__in=[kind.slug for kind in _KINDS.values()])
    for key in of_kinds.unresolved().values_list("dedup_key", flat=True):
        if key not in running:
            alerts.resolve_by_key(key, actor=_ACTOR, note="The attempt has ended.", now=now)
    keys = [_key(each) for each in found]
    told = set(of_kinds.filter(dedup_key__in=keys).values_list("dedup_key", "kind"))
    raised = 0
    for attempt, (forecast, outlook) in found.items():
        kind: AlertKind = _KINDS[outlook]
        # Who was told that it is hopeless is not told that it is above its forecast.
        if {(_key(attempt), kind.slug), (_key(attempt), PART_HOPELESS.slug)}.isdisjoint(told):
            raised += _tell(attempt, forecast, kind, now=now)
    return raised


def _key(attempt: Attempt) -> str:
    return f"part_forecast:{attempt.pk}"


def _tell(attempt: Attempt, forecast: Forecast, kind: AlertKind, *, now: datetime) -> bool:
    allocation: Any = attempt.allocation
    part = f"The part {attempt.sub_task.name} of the task {attempt.task.name}"
    is_hopeless = kind is PART_HOPELESS
    _, is_new = alerts.raise_alert(
        kind=kind,
        dedup_key=_key(attempt),
        title=f"{part} {'looks hopeless' if is_hopeless else 'needs more than its forecast'}",
        detail=f"It has used {allocation.used:,} of {allocation.allocated:,} tokens. Half of such "
        f"work needs up to {forecast.p50:,}, 90 of 100 up to {forecast.p90:,}, 99 of 100 up to "
        f"{forecast.p99:,}.",
        facts={
            "task": attempt.task_id,
            "sub_task": attempt.sub_task_id,
            "attempt": attempt.pk,
            "used": allocation.used,
            "p50": forecast.p50,
            "p90": forecast.p90,
            "p99": forecast.p99,
            "cost_centre": allocation.cost_centre_id,
        },
        agent_id=attempt.task.agent_id,
        session_id=attempt.session_id,
        now=now,
    )
    return is_new
