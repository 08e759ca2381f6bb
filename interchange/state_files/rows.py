"""What the entries of the seed's files are as rows of the books. Nothing is saved here."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from alerts.services import ForeignAlert
from interchange.state_files import usage_periods
from interchange.state_files.event_types import ACTION_OF_TYPE
from interchange.state_files.validation import Documents, moment
from keys.books.services.allocate import threshold
from keys.limits import periods
from keys.models import Allocation, ApiKey, Charge
from keys.supply import pricing
from keys.supply.pricing import Rates
from security import audit
from security.actor import Actor, ActorKind
from security.models import AuditEntry

AGENT = "import"
CENTRE = "imported"
# What an imported entry is about that names nothing, and the import itself.
SUBJECT = "state:imported"
_PAYERS = [f"agent:{AGENT}", f"centre:{CENTRE}"]
_INSTANT = timedelta(microseconds=1)
_NANO = Decimal("1e-9")
# Members of a history entry that are columns; the rest is `after`.
_COLUMNS = ("type", "timestamp", "keyId", "agentId", "sessionId", "by", "reason", "before", "after")
_OF_A_KEY = ("reset", "limit_change", "key_change")
_PERIODS = {"day": "daily", "month": "monthly"}


class Calendar(NamedTuple):
    """What the files say of one period of a key, and where Butler's period begins."""

    period: usage_periods.Period
    zone: str
    reset_hour: int


class Terms(NamedTuple):
    """One limit of a key."""

    unit: str
    period: str
    amount: Decimal
    zone: str
    reset_hour: int


def clean(value: Any) -> Any:
    """JSON as PostgreSQL can hold it: without NUL and lone surrogates in its texts."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [clean(each) for each in value]
    if isinstance(value, dict):
        return {clean(name): clean(each) for name, each in value.items()}
    return value


def rates(entry: dict) -> Rates | None:
    """US dollars per 1,000 tokens; None when the file leaves them to the price book."""
    cost = entry.get("costPer1kTokens")
    if cost is None:
        return None
    if not isinstance(cost, dict):
        cost = {"input": cost, "output": cost}
    known = {"input": "input", "output": "output", "cached": "cached", "cacheWrite": "cache_write"}
    return Rates(**{known[name]: usd(cost[name]) for name in known if name in cost})


def usd(number: float) -> Decimal:
    """The decimal that was written, to the billionth."""
    return Decimal(str(number)).quantize(_NANO, ROUND_HALF_UP)


def calendar(documents: Documents, slug: str, period: str) -> Calendar:
    """The day or month that the file's usage of a key is of."""
    limits = documents.keys[slug].get("limits", {})
    said = usage(documents, slug).get(_PERIODS[period], {})
    zone, at = limits.get("timezone", "UTC"), documents.at
    reset_hour = limits.get("resetHour", 0)
    if said.get("resetAt") is not None:
        resets_at = moment(said["resetAt"])
        wall = resets_at.astimezone(periods.check_zone(zone))
        if (wall.minute, wall.second, wall.microsecond) == (0, 0, 0):
            reset_hour = wall.hour
        # Usage of a period that was over when the file was written belongs into that one.
        at = min(at, resets_at - _INSTANT)
    starts_at, ends_at = periods.bounds(period=period, at=at, zone=zone, reset_hour=reset_hour)
    counted = usage_periods.Period(int(said.get("used", 0)), at, starts_at, ends_at)
    return Calendar(counted, zone, reset_hour)


def usage(documents: Documents, slug: str) -> dict:
    """`keys.<slug>.usage` of the state, or nothing."""
    return documents.state["keys"].get(slug, {}).get("usage", {})


def limits(documents: Documents, slug: str) -> Iterator[Terms]:
    """The limits of a key: of api-keys.json, else the ones its usage was counted against."""
    said = documents.keys[slug].get("limits", {})
    for period, name in [*_PERIODS.items(), ("total", "total")]:
        when = calendar(documents, slug, "day" if period == "total" else period)
        counted = usage(documents, slug).get(name)
        beside = counted.get("limit") if isinstance(counted, dict) else None
        if (tokens := said.get(name, beside)) is not None:
            yield Terms("tokens", period, Decimal(int(tokens)), when.zone, when.reset_hour)
        if (dollars := said.get(f"{name}Usd")) is not None:
            yield Terms("usd", period, usd(dollars), when.zone, when.reset_hour)


def portions(documents: Documents, slug: str) -> list[usage_periods.Portion]:
    """What the key used, by the moments it is booked at."""
    day, month = (calendar(documents, slug, period) for period in _PERIODS)
    today, _ = periods.bounds(
        period="day", at=documents.at, zone=day.zone, reset_hour=day.reset_hour
    )
    total = int(usage(documents, slug).get("total", 0))
    return usage_periods.portions(day=day.period, month=month.period, total=total, today=today)


def allocation(session: str, entry: dict, *, api_key: ApiKey, documents: Documents) -> Allocation:
    """The allocation of a session; an active one that used all it was lent is exhausted."""
    used, allocated = int(entry.get("used", 0)), int(entry["allocated"])
    status = entry.get("status", "active")
    if status == "active" and used >= allocated:
        status = "exhausted"
    created_at = moment(entry["createdAt"])
    expires_at = _moment_or_none(entry.get("expiresAt")) or created_at + timedelta(hours=1)
    closed_at = _moment_or_none(entry.get("closedAt")) or min(expires_at, documents.at)
    at_threshold = int(entry.get("rotationThreshold", threshold(allocated)))
    return Allocation(
        **_terms(api_key, session),
        status=status,
        status_reason="" if status == "active" else "imported",
        allocated=allocated,
        used=used,
        overrun=used > allocated,
        rotation_threshold=at_threshold,
        auto_rotate=entry.get("autoRotate", True),
        # Its warning is among the imported alerts.
        warned_at=documents.at if status == "active" and used >= at_threshold else None,
        created_at=created_at,
        expires_at=expires_at,
        closed_at=None if status == "active" else closed_at,
    )


def carrier(session: str, tokens: int, *, api_key: ApiKey, documents: Documents) -> Allocation:
    """A closed allocation for what a key used and no session of the file did."""
    return Allocation(
        **_terms(api_key, session),
        status="completed",
        status_reason="what the key had used when it was imported",
        allocated=tokens,
        used=tokens,
        rotation_threshold=tokens,
        created_at=documents.at,
        expires_at=documents.at,
        closed_at=documents.at,
    )


def _terms(api_key: ApiKey, session: str) -> dict[str, Any]:
    return {
        "session_id": session,
        "agent_id": AGENT,
        "cost_centre_id": CENTRE,
        "payers": _PAYERS,
        "api_key": api_key,
        "price": api_key.price,
        "token_cost_max": api_key.price.token_cost_max,
        "asked": {"imported": True},
    }


def charges(lent: Allocation, booked: list[usage_periods.Portion]) -> list[Charge]:
    """What an allocation used, priced at the highest rate since the parts are not known.

    Sets its costs too, which are the sums of these.
    """
    rows = [
        Charge(
            allocation=lent,
            api_key=lent.api_key,
            price=lent.price,
            idempotency_key=f"import-{number}",
            status="settled",
            tokens=portion.tokens,
            cost=pricing.bound(lent.price.rates, portion.tokens),
            created_at=portion.at,
            expires_at=portion.at,
            settled_at=portion.at,
        )
        for number, portion in enumerate(booked)
    ]
    lent.used_cost = sum((row.cost for row in rows), Decimal(0))
    lent.allocated_cost = max(pricing.bound(lent.price.rates, lent.allocated), lent.used_cost)
    return rows


def foreign_alert(entry: dict) -> ForeignAlert:
    """An alert of the file."""
    about = entry.get("sessionId") or entry.get("keyId") or ""
    return ForeignAlert(
        kind=clean(entry["type"]),
        severity=entry["severity"],
        message=clean(entry["message"]),
        dedup_key=clean(f"{entry['type']}:{about}"),
        raised_at=moment(entry["timestamp"]),
        key_id=clean(entry.get("keyId")),
        session_id=clean(entry.get("sessionId")),
        acknowledged=entry.get("acknowledged", False),
        resolved=entry.get("resolved", False),
    )


def audit_entry(entry: dict[str, Any]) -> AuditEntry:
    """The audit entry of an entry of the file's history."""
    rest = {name: value for name, value in entry.items() if name not in _COLUMNS}
    subject, *related = _subjects(entry)
    return audit.entry(
        actor=_actor(clean(entry.get("by") or "")),
        action=ACTION_OF_TYPE[entry["type"]],
        subject=subject,
        related=related,
        before=clean(entry.get("before")),
        after=clean(entry.get("after", rest or None)),
        reason=clean(entry.get("reason") or ""),
        at=moment(entry["timestamp"]),
    )


def _subjects(entry: dict[str, Any]) -> list[str]:
    """What the entry is about; what was changed comes first."""
    members = {"session": "sessionId", "agent": "agentId", "key": "keyId"}
    if entry["type"] in _OF_A_KEY:
        members = {"key": "keyId"} | members
    named = {kind: clean(entry.get(member)) for kind, member in members.items()}
    return [f"{kind}:{name}" for kind, name in named.items() if name] or [SUBJECT]


def _actor(by: str) -> Actor:
    """Whom the file names, `agent:ada` or a person; who imports it if it names nobody."""
    kind, _, slug = by.partition(":")
    if kind == ActorKind.AGENT and slug:
        return Actor.agent(slug)
    return Actor.person(by) if by else Actor.job(AGENT)


def _moment_or_none(value):
    return None if value is None else moment(value)
