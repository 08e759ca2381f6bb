"""How long something took, or takes until now."""

from datetime import datetime, timedelta

from common import formatting


def seconds_of(
    started_at: datetime | None, ended_at: datetime | None, *, now: datetime
) -> int | None:
    """Whole seconds from start to end, or until now; None before the start."""
    if started_at is None:
        return None
    return int(max((ended_at or now) - started_at, timedelta(0)).total_seconds())


def took(started_at: datetime | None, ended_at: datetime | None, *, now: datetime) -> str | None:
    """`1 h 5 min`, `2.4 s`; None before the start."""
    if started_at is None:
        return None
    length = max((ended_at or now) - started_at, timedelta(0))
    # Whole seconds while it runs: tenths would change with each look.
    if ended_at and length < timedelta(minutes=1):
        return f"{length.total_seconds():.1f} s"
    return formatting.duration(length)
