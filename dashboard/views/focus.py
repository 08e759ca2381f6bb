"""A month of usage as a file for tools that read FOCUS."""

from datetime import date

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard.exports import csv_files
from dashboard.exports.focus_files import Counted, month_for
from dashboard.organisation import organisation_of
from reports.focus import VERSIONS

_FIRST_YEAR, _LAST_YEAR = 2000, 8999


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
    month = month_for(request.user, organisation_of(request), first, version)
    answer = StreamingHttpResponse(
        csv_files.pieces(Counted(month).lines()), content_type=csv_files.MEDIA_TYPE
    )
    name = f"focus-{version}-{first:%Y-%m}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _month(text: str) -> date | None:
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        return None
    return first if _FIRST_YEAR <= first.year <= _LAST_YEAR else None
