"""Keys, limits, sessions and usage of state files as the values that `keys.import_books` takes.

Nothing is saved here.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from interchange.state_files import key_terms, usage_periods
from interchange.state_files.periods_of_limits import ADDED, NAMES, member
from interchange.state_files.schemas import moment
from interchange.state_files.storable import storable
from interchange.state_files.validation import Documents
from keys import services as keys
from keys.identity.queries.organisation import calendar
from keys.limits import periods

# The agent and the cost centre of all usage in the files.
AGENT = "import"
CENTRE = "imported"
_INSTANT = timedelta(microseconds=1)
_TTL = timedelta(hours=1)


class _Calendar(NamedTuple):
    """The usage of a key in one period of the files, and the calendar of Butler's period."""

    period: usage_periods.Period
    zone: str
    reset_hour: int


def imported_books(documents: Documents, *, digest: str) -> keys.ImportedBooks:
    """The books of the files. `digest` of the files makes the names of sessions unique."""
    return keys.ImportedBooks(
        as_of=documents.at,
        agent=AGENT,
        statuses={
            slug: _status(documents, slug)
            for slug, entry in documents.keys.items()
            # A key without a secret stays inactive.
            if key_terms.secret(entry)
        },
        limits={slug: list(_limits(documents, slug)) for slug in documents.keys},
        allocations=_allocations(documents, digest),
        carried={
            (slug, unit, period): carried
            for slug in documents.keys
            for period, unit, carried in _carried(documents, slug)
        },
    )


def _status(documents: Documents, slug: str) -> keys.ImportedStatus:
    """The status in the state, unless `api-keys.json` has the key inactive."""
    entry, state = documents.keys[slug], documents.state["keys"].get(slug, {})
    configured = entry.get("status", "active")
    status = "inactive" if configured == "inactive" else state.get("status", configured)
    until = _moment_or_none(state.get("coolingUntil")) or documents.at
    return keys.ImportedStatus(
        status=status,
        reason=storable(state.get("statusReason") or ""),
        cooling_until=until if status == "cooling" else None,
    )


def _limits(documents: Documents, slug: str) -> Iterator[keys.Terms]:
    """The limits of a key: of api-keys.json, else the ones its usage was counted against."""
    configured = documents.keys[slug].get("limits", {})
    carry_over = configured.get("carryOver", {})
    for period, name in NAMES.items():
        of_period = _usage(documents, slug).get(name)
        of_usage = of_period.get("limit") if isinstance(of_period, dict) else None
        amounts = {
            "tokens": _int_or_none(configured.get(name, of_usage)),
            "usd": _usd_or_none(configured.get(f"{name}Usd")),
        }
        for unit, amount in amounts.items():
            if amount is not None:
                when = _calendar(documents, slug, "day" if period == "total" else period, unit)
                yield keys.Terms(
                    unit=unit,
                    period=period,
                    amount=amount,
                    zone=when.zone,
                    reset_hour=when.reset_hour,
                    carry_over_max=_amount_or_none(carry_over.get(member(period, unit)), unit),
                )


def _carried(documents: Documents, slug: str) -> Iterator[tuple[str, str, Decimal]]:
    """What was carried over into periods that ran when the files were written, by period and
    unit."""
    carried = _usage(documents, slug).get("carriedOver", {})
    for period in NAMES.keys() - {"total"}:
        for unit in ("tokens", "usd"):
            when = _calendar(documents, slug, period, unit).period
            amount = _amount_or_none(carried.get(member(period, unit)), unit)
            if amount and when.has(documents.at):
                yield period, unit, Decimal(amount)


def _allocations(documents: Documents, digest: str) -> Iterator[keys.ImportedAllocation]:
    """An allocation for each session, and one per key for usage without a session."""
    booked = {slug: _portions(documents, slug) for slug in documents.keys}
    for session, entry in documents.sessions:
        slug = entry["keyId"]
        allocation, booked[slug] = _allocation(session, entry, booked[slug], documents.at)
        yield allocation
    for number, (slug, portions) in enumerate(booked.items()):
        if rest := [portion for portion in portions if portion.tokens]:
            session = f"import-{digest[:24]}-{number}"
            yield _allocation_of_rest(session, slug, rest, documents.at)


def _allocation(
    session: str, entry: dict[str, Any], booked: list[usage_periods.Portion], at: datetime
) -> tuple[keys.ImportedAllocation, list[usage_periods.Portion]]:
    """The allocation of a session, and what is left of `booked` without its charges.

    An active one that used all it was lent is exhausted.
    """
    used, allocated = int(entry.get("used", 0)), int(entry["allocated"])
    status = entry.get("status", "active")
    if status == "active" and used >= allocated:
        status = "exhausted"
    created_at = moment(entry["createdAt"])
    expires_at = _moment_or_none(entry.get("expiresAt")) or created_at + _TTL
    closed_at = _moment_or_none(entry.get("closedAt")) or min(expires_at, at)
    is_active = status == "active"
    portions, left = usage_periods.take(booked, used, until=at if is_active else closed_at)
    allocation = keys.ImportedAllocation(
        session_id=session,
        key_id=entry["keyId"],
        status=status,
        status_reason="" if is_active else "imported",
        allocated=allocated,
        rotation_threshold=_int_or_none(entry.get("rotationThreshold")),
        auto_rotate=entry.get("autoRotate", True),
        created_at=created_at,
        expires_at=expires_at,
        closed_at=None if is_active else closed_at,
        charges=_charges(portions),
    )
    return allocation, left


def _allocation_of_rest(
    session: str, slug: str, portions: list[usage_periods.Portion], at: datetime
) -> keys.ImportedAllocation:
    """A closed allocation for the usage of a key that no session of the file has."""
    tokens = sum(portion.tokens for portion in portions)
    return keys.ImportedAllocation(
        session_id=session,
        key_id=slug,
        status="completed",
        status_reason="what the key had used when it was imported",
        allocated=tokens,
        rotation_threshold=tokens,
        created_at=at,
        expires_at=at,
        closed_at=at,
        charges=_charges(portions),
    )


def _charges(portions: list[usage_periods.Portion]) -> list[keys.ImportedCharge]:
    return [
        keys.ImportedCharge(tokens=portion.tokens, settled_at=portion.at) for portion in portions
    ]


def _portions(documents: Documents, slug: str) -> list[usage_periods.Portion]:
    """The usage of the key, by the moments at which it is charged."""
    day, month = (_calendar(documents, slug, period) for period in ("day", "month"))
    today, tomorrow = periods.bounds(
        period="day", at=documents.at, zone=day.zone, reset_hour=day.reset_hour
    )
    total = int(_usage(documents, slug).get("total", 0))
    booked = usage_periods.portions(day=day.period, month=month.period, total=total, today=today)
    added = [
        _calendar(documents, slug, period).period
        for period, name in ADDED.items()
        if name in _usage(documents, slug)
    ]
    this_day = usage_periods.Period(0, documents.at, today, tomorrow)
    return usage_periods.fit(booked, to=added, within=[day.period, month.period, this_day])


def _calendar(documents: Documents, slug: str, period: str, unit: str = "tokens") -> _Calendar:
    """The period to which the file's usage of a key belongs, in the calendar of this limit."""
    usage = _usage(documents, slug).get(NAMES[period], {})
    own, at = _terms_of_calendar(documents, slug, period, unit), documents.at
    zone = own.get("timezone", "UTC")
    reset_hour = 0 if period == "hour" else own.get("resetHour", 0)
    # The file counts tokens. Their reset says nothing of a limit in USD that has its own hour.
    if usage.get("resetAt") is not None and not (unit == "usd" and "resetHour" in own):
        resets_at = moment(usage["resetAt"])
        wall = resets_at.astimezone(periods.check_zone(zone))
        if period != "hour" and (wall.minute, wall.second, wall.microsecond) == (0, 0, 0):
            reset_hour = wall.hour
        # Usage of a period that had ended when the file was written belongs to that period.
        at = min(at, resets_at - _INSTANT)
    starts_at, ends_at = periods.bounds(
        period=period, at=at, zone=zone, reset_hour=reset_hour, calendar=calendar()
    )
    counted = usage_periods.Period(int(usage.get("used", 0)), at, starts_at, ends_at)
    return _Calendar(counted, zone, reset_hour)


def _terms_of_calendar(documents: Documents, slug: str, period: str, unit: str) -> dict[str, Any]:
    """The members `timezone` and `resetHour` for a limit: its own, else those of the key."""
    limits: dict[str, Any] = documents.keys[slug].get("limits", {})
    own: dict[str, Any] | None = limits.get("calendars", {}).get(member(period, unit))
    return limits if own is None else own


def _usage(documents: Documents, slug: str) -> dict[str, Any]:
    """`keys.<slug>.usage` of the state; empty if it has none."""
    usage: dict[str, Any] = documents.state["keys"].get(slug, {}).get("usage", {})
    return usage


def _moment_or_none(value: str | int | None) -> datetime | None:
    return None if value is None else moment(value)


def _int_or_none(value: int | float | None) -> int | None:
    return None if value is None else int(value)


def _amount_or_none(value: int | float | None, unit: str) -> Decimal | int | None:
    return _int_or_none(value) if unit == "tokens" else _usd_or_none(value)


def _usd_or_none(value: float | None) -> Decimal | None:
    return None if value is None else key_terms.usd(value)
