"""The usage of the demo fleet: what its agents would have spent in the last 60 days."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from alerts import services as alerts
from alerts.kinds import all_kinds
from interchange.simulated_usage.sessions import Simulation
from interchange.simulated_usage.workloads import ModelUse, Outage, Workload, working_day
from keys import services as keys
from keys.identity.queries.organisation import organisation
from keys.models import Allocation, Charge, Limit, Organisation
from keys.services import PastSession
from security.actor import Actor

DAYS = 60
_FILE = Path(__file__).parent / "data" / "demo_usage.json"
_ACTOR = Actor.job("demo fleet")
_SEED = 13
# By so much more a day: a quarter more after two months.
_GROWTH = 0.004


def load(*, now: datetime) -> int:
    """Import the usage of the demo fleet up to `now`; returns how many charges.

    Only into books without a single charge: a second call changes nothing.
    """
    if Charge.objects.exists():
        return 0
    data = json.loads(_FILE.read_text(encoding="utf-8"))
    _name_organisation(now=now)
    since = now.astimezone(UTC).date() - timedelta(days=DAYS)
    keys.open_past_windows(since=_moment(since))
    simulation = Simulation(
        [_workload(about, now=now) for about in data["workloads"]],
        outages=[_outage(about, now=now) for about in data["outages"]],
        name="demo",
        seed=_SEED,
        growth=_GROWTH,
    )
    sessions = _within_limits(simulation.sessions(since=since, until=now))
    imported = keys.import_sessions(list(sessions), now=now)
    for about in data["adjustments"]:
        _adjust(about, now=now)
    for about in data["alerts"]:
        _raise_alert(about, now=now)
    keys.roll_up_usage()
    return imported


def _name_organisation(*, now: datetime) -> None:
    """Say on every page that this is a demo, unless the organisation has a name of its own."""
    if organisation().name == Organisation._meta.get_field("name").default:
        keys.change_organisation(
            name="Demo organisation", actor=_ACTOR, reason="demo fleet", now=now
        )


def _within_limits(sessions: Iterable[PastSession]) -> Iterator[PastSession]:
    """Those that fit into the limits in tokens per day of their API key and agent."""
    limits = Limit.objects.filter(unit="tokens", period="day", removed_at=None)
    free: dict[tuple[str, date], Decimal] = {}
    amounts = dict(limits.values_list("scope", "amount"))
    for session in sessions:
        day = session.calls[-1].ended_at.date()
        scopes = amounts.keys() & {f"key:{session.key_id}", f"agent:{session.agent}"}
        left = {scope: free.get((scope, day), amounts[scope]) - session.used for scope in scopes}
        if min(left.values(), default=0) >= 0:
            free.update({(scope, day): amount for scope, amount in left.items()})
            yield session


def _moment(day: date, hour: int = 0) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def _day(about: Mapping[str, Any], now: datetime) -> date:
    return working_day(now.astimezone(UTC).date(), days_ago=about["days_ago"])


def _workload(about: dict[str, Any], *, now: datetime) -> Workload:
    terms = {name: about[name] for name in about.keys() - {"models", "calls", "days_ago"}}
    return Workload(
        **terms,
        models=tuple(ModelUse(**each) for each in about["models"]),
        calls=tuple(about["calls"]),
        day=_day(about, now) if "days_ago" in about else None,
    )


def _outage(about: dict[str, Any], *, now: datetime) -> Outage:
    day = _day(about, now)
    return Outage(
        key_id=about["key_id"],
        day=day,
        from_hour=about["from_hour"],
        until_hour=about["until_hour"],
    )


def _adjust(about: dict[str, Any], *, now: datetime) -> None:
    """Adjust the newest charge of a label of two days ago or before, a day after it was settled."""
    charge = Charge.objects.filter(
        allocation__label=about["label"],
        status=Charge.Status.SETTLED,
        basis=Charge.Basis.PROVIDER,
        allocation__status=Allocation.Status.COMPLETED,
        settled_at__lt=now - timedelta(days=2),
    ).latest("id")
    tokens = charge.input_tokens * about["percent"] // 100
    keys.adjust_charge(
        charge_id=charge.pk,
        usage=keys.Usage(input_tokens=tokens, output_tokens=charge.output_tokens),
        reason=about["reason"],
        actor=_ACTOR,
        now=charge.created_at + timedelta(days=1),
    )


def _raise_alert(about: dict[str, Any], *, now: datetime) -> None:
    kind = all_kinds()[about["kind"]]
    raised_at = _moment(_day(about, now), about["hour"])
    alert, _ = alerts.raise_alert(
        kind=kind,
        dedup_key=f"{kind.slug}:{about['key_id']}",
        title=about["title"],
        detail=about["detail"],
        key_id=about["key_id"],
        agent_id=about.get("agent_id"),
        now=raised_at,
    )
    alerts.resolve(
        alert.pk,
        actor=_ACTOR,
        note=about["note"],
        now=raised_at + timedelta(hours=about["resolved_after_hours"]),
    )
