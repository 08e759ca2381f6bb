"""What pages need to know of the organisation."""

from zoneinfo import ZoneInfo

from django.http import HttpRequest


def name(request: HttpRequest) -> str:
    """The name that the top bar shows."""
    return "Our organisation"


def zone(request: HttpRequest) -> ZoneInfo:
    """The reporting zone: in its days all figures are counted, by its clocks all times shown."""
    return ZoneInfo("UTC")


def fiscal_year_starts(request: HttpRequest) -> int:
    """The month in which the fiscal year starts."""
    return 1
