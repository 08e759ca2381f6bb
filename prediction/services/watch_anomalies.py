"""Tell of anomalies: one incident is one alert."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from django.db import transaction

from alerts import services as alerts
from alerts.kinds import AlertKind
from keys import services as keys
from prediction.alert_kinds import (
    ANOMALY_CREEP,
    ANOMALY_LOOP,
    ANOMALY_SHIFT,
    ANOMALY_SPIKE,
    ANOMALY_STORM,
    ANOMALY_STUCK,
)
from prediction.models import Anomaly, AnomalyFreeze, AnomalyKind, ExpectedAnomaly
from prediction.queries.unusual_calls import unusual_calls
from prediction.queries.unusual_usage import Unusual, centres_of, unusual_usage
from security.actor import Actor

_ACTOR = Actor.job("anomalies")
# For so long after an incident, the same is not told again.
COOL_OFF = timedelta(hours=6)
_KINDS: Mapping[str, AlertKind] = {
    AnomalyKind.SPIKE: ANOMALY_SPIKE,
    AnomalyKind.CREEP: ANOMALY_CREEP,
    AnomalyKind.LOOP: ANOMALY_LOOP,
    AnomalyKind.STUCK: ANOMALY_STUCK,
    AnomalyKind.STORM: ANOMALY_STORM,
    AnomalyKind.SHIFT: ANOMALY_SHIFT,
}
_OF_CALLS = (AnomalyKind.LOOP, AnomalyKind.STUCK, AnomalyKind.STORM)
_OF_USAGE = (AnomalyKind.SPIKE, AnomalyKind.CREEP, AnomalyKind.SHIFT)


def watch_calls(*, now: datetime) -> int:
    """Look for loops, stuck sessions and retry storms; returns how many alerts were raised."""
    return tell(unusual_calls(now=now), kinds=_OF_CALLS, now=now)


def watch_usage(*, now: datetime) -> int:
    """Look for spikes, slow creep and changed prices; returns how many alerts were raised."""
    return tell(unusual_usage(now=now), kinds=_OF_USAGE, now=now)


def tell(seen: Iterable[Unusual], *, kinds: Collection[str], now: datetime) -> int:
    """Begin an incident with an alert for each anomaly that is new, and end those of `kinds` that
    are no longer seen. Returns how many began.

    What a person expects is not told. Where a kind freezes by itself, the agent or the key of a new
    incident is frozen afterwards.
    """
    found: dict[tuple[str, str], Unusual] = {}
    for each in seen:
        found.setdefault((each.kind, each.subject), each)
    new = _write(found, kinds, now=now)
    freezing = set(AnomalyFreeze.objects.values_list("pk", flat=True)) if new else set()
    for each in new:
        if each.kind in freezing:
            reason = f"Butler saw a {each.kind.label}. {each.words}"[:300]
            keys.freeze(each.subject, reason=reason, actor=_ACTOR, now=now)
    return len(new)


@transaction.atomic(durable=True)
def _write(
    found: dict[tuple[str, str], Unusual], kinds: Collection[str], *, now: datetime
) -> list[Unusual]:
    rows = Anomaly.objects.filter(kind__in=kinds)
    running = {
        (each.kind, each.subject): each
        for each in rows.filter(ended_at=None).order_by("pk").select_for_update(no_key=True)
    }
    for place, incident in running.items():
        if place in found:
            incident.seen_at = now
            incident.save(update_fields=["seen_at"])
        else:
            end(incident, actor=_ACTOR, note="It is no longer seen.", now=now)
    expected = set(ExpectedAnomaly.objects.values_list("kind", "subject"))
    cooling = set(rows.filter(ended_at__gt=now - COOL_OFF).values_list("kind", "subject"))
    new = sorted(found.keys() - running.keys() - expected - cooling)
    agents = [found[place].slug for place in new if found[place].subject.startswith("agent:")]
    centres = centres_of(agents) if agents else {}
    for place in new:
        _begin(found[place], centres, now=now)
    return [found[place] for place in new]


def _begin(seen: Unusual, centres: Mapping[str, str], *, now: datetime) -> None:
    is_agent = seen.subject.startswith("agent:")
    centre = centres.get(seen.slug, "") if is_agent else ""
    kind: AlertKind = _KINDS[seen.kind]
    alert, _ = alerts.raise_alert(
        kind=kind,
        dedup_key=_dedup_key(seen.kind, seen.subject),
        title=f"{seen.kind.label.capitalize()}: {seen.slug}",
        detail=seen.words,
        facts={**seen.evidence, **({"cost_centre": centre} if centre else {})},
        agent_id=seen.slug if is_agent else None,
        key_id=None if is_agent else seen.slug,
        now=now,
    )
    Anomaly.objects.create(
        kind=seen.kind,
        subject=seen.subject,
        cost_centre=centre,
        words=seen.words,
        evidence=dict(seen.evidence),
        alert=alert,
        began_at=now,
        seen_at=now,
    )


def end(incident: Anomaly, *, actor: Actor, note: str, now: datetime) -> None:
    """End an incident and resolve its alert. Joins the caller's transaction."""
    incident.ended_at = now
    incident.save(update_fields=["ended_at"])
    key = _dedup_key(incident.kind, incident.subject)
    alerts.resolve_by_key(key, actor=actor, note=note, now=now)


def _dedup_key(kind: str, subject: str) -> str:
    return f"anomaly:{kind}:{subject}"
