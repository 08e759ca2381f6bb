"""The files that a job makes: how far one is, and its content, both for its owner alone."""

from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import exports
from dashboard.exports.xlsx_files import MEDIA_TYPE
from reports import queries as reports
from reports.models import ExportFile
from reports.refusals import ExportNotAllowed


@never_cache
@staff_member_required
@require_safe
def export_file(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /reports/files/7: how far the file is, and where it is once it is ready."""
    file = _own(request, pk)
    context = {"file": file, "refusal": _refusal(file)}
    return render(request, "dashboard/export_file.html", context)


@never_cache
@staff_member_required
@require_safe
def export_content(request: HttpRequest, pk: int) -> HttpResponseBase:
    """GET /reports/files/7/content: the file, if its owner may still see all of it."""
    file = _own(request, pk, status=ExportFile.Status.READY)
    if refusal := _refusal(file):
        raise PermissionDenied(refusal)
    answer = StreamingHttpResponse(reports.parts_of(file), content_type=MEDIA_TYPE)
    answer["Content-Length"] = file.size
    answer["Content-Disposition"] = f'attachment; filename="{file}"'
    return answer


def _refusal(file: ExportFile) -> str:
    """Why the owner does not get the file; empty if they do."""
    try:
        exports.check_access(file)
    except ExportNotAllowed as refusal:
        return refusal.detail
    return ""


def _own(request: HttpRequest, pk: int, **which: str) -> ExportFile:
    own = reports.exports_of(request.user, now=timezone.now())
    return get_object_or_404(own.select_related("owner"), pk=pk, **which)
