"""What pages need to know of the organisation, read once for each request."""

from zoneinfo import ZoneInfo

from django.http import HttpRequest

from keys.identity.queries.organisation import organisation
from keys.models import Organisation


def organisation_of(request: HttpRequest) -> Organisation:
    """The settings of the organisation."""
    found: Organisation | None = getattr(request, "_organisation", None)
    if found is None:
        found = organisation()
        request._organisation = found  # type: ignore[attr-defined]
    return found


def name(request: HttpRequest) -> str:
    """The name that the top bar shows."""
    return organisation_of(request).name


def zone(request: HttpRequest) -> ZoneInfo:
    """The reporting zone: in its days all figures are counted, by its clocks all times shown."""
    return ZoneInfo(organisation_of(request).reporting_zone)


def fiscal_year_starts(request: HttpRequest) -> int:
    """The month in which the fiscal year starts."""
    return organisation_of(request).fiscal_year_starts
