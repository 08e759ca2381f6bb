"""Where the figures of the Overview are broken down."""

from datetime import date
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from common import links
from dashboard.ranges import DateRange


def spend_url(days: DateRange, **parameters: str) -> str:
    """The spend of these days; `parameters` are filters and groups of the page."""
    query = urlencode(parameters)
    return f"{links.url('spend')}?{days.query}{'&' if query else ''}{query}"


def day_range(day: date, zone: ZoneInfo) -> DateRange:
    """One day."""
    return DateRange(day, day, zone)
