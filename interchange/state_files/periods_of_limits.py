"""How the state files name the periods of limits, and their calendars."""

from typing import Any

from keys.models import Limit

# The original Token Manager knows those of a day, a month and in total.
ORIGINAL = {"day": "daily", "month": "monthly", "total": "total"}
ADDED = {"hour": "hourly", "week": "weekly", "quarter": "quarterly", "year": "yearly"}
NAMES = ORIGINAL | ADDED


def member(period: str, unit: str) -> str:
    """The member of a limit of this period and unit: `daily`, `weeklyUsd`."""
    return NAMES[period] if unit == "tokens" else f"{NAMES[period]}Usd"


def calendar_of(limit: Limit) -> dict[str, Any]:
    """The zone and reset hour of a limit."""
    return {"timezone": limit.zone, "resetHour": limit.reset_hour}
