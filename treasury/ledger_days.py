"""Days of the ledger."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from keys.identity.queries.organisation import organisation


def ledger_day(now: datetime) -> date:
    """The day that a transfer of this moment belongs to, in the reporting zone."""
    return now.astimezone(ZoneInfo(organisation().reporting_zone)).date()
