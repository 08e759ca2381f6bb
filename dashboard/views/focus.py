"""A month of usage as a file for tools that read FOCUS."""

from collections.abc import Iterable, Iterator
from datetime import date
from zoneinfo import ZoneInfo

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from common.admin.visible_rows import visible_to
from dashboard.exports import csv_files
from dashboard.organisation import organisation_of
from gate.queries import bindings
from reports.focus import VERSIONS, ClosedFocusMonth, FocusMonth
from reports.queries.month_closes import standing_close

_FIRST_YEAR, _LAST_YEAR = 2000, 8999
_UTC = ZoneInfo("UTC")


@never_cache
@require_safe
@staff_member_required
@permission_required("keys.view_charge", raise_exception=True)
def focus(request: HttpRequest) -> HttpResponseBase:
    """GET /reports/focus?month=2026-11&version=1.2: what the person may see of it, as CSV."""
    first, version = _month(request.GET.get("month", "")), request.GET.get("version", VERSIONS[0])
    if first is None or version not in VERSIONS:
        sentence = f"Use a month such as month=2026-11, and the version {' or '.join(VERSIONS)}."
        return HttpResponse(sentence, status=400, content_type="text/plain")
    month = _focus_month(request, first, version)
    answer = StreamingHttpResponse(
        csv_files.pieces(_lines(month)), content_type=csv_files.MEDIA_TYPE
    )
    name = f"focus-{version}-{first:%Y-%m}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _focus_month(request: HttpRequest, first: date, version: str) -> FocusMonth:
    """The frozen lines of a closed month; what the books have now of an open one."""
    organisation = organisation_of(request)
    if close := standing_close(first):
        lines = visible_to(request.user, close.lines.all())
        return ClosedFocusMonth(organisation, first, version, close=close, lines=lines)
    return FocusMonth(organisation, first, version, tuple(bindings(request.user)) or None)


def _lines(month: FocusMonth) -> Iterator[Iterable[str]]:
    yield month.columns
    for row in month.rows():
        yield (csv_files.cell(value, _UTC) for value in row)


def _month(text: str) -> date | None:
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        return None
    return first if _FIRST_YEAR <= first.year <= _LAST_YEAR else None
