"""Files that a page answers with: any CSV, and small workbooks. A job makes large workbooks."""

from collections.abc import Callable
from functools import wraps
from io import BytesIO
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from common import links
from dashboard.exports import csv_files, xlsx_files
from dashboard.exports.build import content_of_page
from dashboard.exports.content import Content
from gate.queries import bindings
from reports import services as reports
from reports.refusals import TooManyExports
from security.request_actor import person_of

View = Callable[..., HttpResponseBase]
# A larger workbook takes seconds of a process that also serves agents.
REQUEST_ROWS_MAX = 5_000
JOB = "dashboard.jobs.make_export"
_QUERY_MAX = 2_000


def exported(*names: str) -> Callable[[View], View]:
    """A page with these tables: `format=csv` and `format=xlsx` give one of them as a file.

    It is the first one, unless the parameter `table` names another. The builder of the table gets
    the parameters of the path in its query. Comes below the decorators that let people in.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def page_or_file(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            answer = _ANSWERS.get(request.GET.get("format", ""))
            if answer is None:
                return view(request, **kwargs)
            query = request.GET.copy()
            for parameter in ("format", "excel", "table", "exact"):
                query.pop(parameter, None)
            for name, value in kwargs.items():
                query[name] = str(value)
            wanted = request.GET.get("table", names[0])
            return answer(request, wanted if wanted in names else names[0], query)

        return page_or_file

    return decorate


def _csv(request: HttpRequest, name: str, query: QueryDict) -> HttpResponseBase:
    content = _content(request, name, query)
    if content.table.message:
        return _unread(content)
    pieces = csv_files.csv_pieces(content, for_excel=request.GET.get("excel") == "1")
    return _as_file(
        StreamingHttpResponse(pieces, content_type=csv_files.MEDIA_TYPE), content, "csv"
    )


def _xlsx(request: HttpRequest, name: str, query: QueryDict) -> HttpResponseBase:
    content = _content(request, name, query)
    if content.table.message:
        return _unread(content)
    if content.table.is_capped or content.table.count > REQUEST_ROWS_MAX:
        return _ask(request, content)
    file = BytesIO()
    xlsx_files.write_xlsx(content, file)
    answer = HttpResponse(file.getvalue(), content_type=xlsx_files.MEDIA_TYPE)
    return _as_file(answer, content, "xlsx")


_ANSWERS = {"csv": _csv, "xlsx": _xlsx}


def _content(request: HttpRequest, name: str, query: QueryDict) -> Content:
    return content_of_page(
        _person(request), table=name, path=request.path, query=query, now=timezone.now()
    )


def _unread(content: Content) -> HttpResponse:
    """No file: it would not show that it is of other days or groups than were asked for."""
    return HttpResponse(
        f"{content.table.message} Correct the address: there is no file of it.",
        status=400,
        content_type="text/plain; charset=utf-8",
    )


def _ask(request: HttpRequest, content: Content) -> HttpResponse:
    """Have a job make the file, and lead to the page that shows how far it is."""
    query = content.query.urlencode()
    if len(query) > _QUERY_MAX:
        return HttpResponse("The address is too long. Choose fewer filters.", status=414)
    wanted = reports.ExportRequest(
        table=content.table.name,
        path=request.path,
        query=query,
        file_format="xlsx",
        rows_expected=content.table.count,
        centres=sorted(bindings(request.user)),
        job=JOB,
    )
    person = _person(request)
    try:
        file, _ = reports.ask_export(
            wanted, owner=person, actor=person_of(request), now=content.made_at
        )
    except TooManyExports as refusal:
        messages.error(request, refusal.detail)
        return redirect(links.url("reports"))
    return redirect(links.url("export_file", file.pk))


def _person(request: HttpRequest) -> User:
    """Who has signed in: the view lets in nobody else."""
    return cast(User, request.user)


def _as_file(answer: HttpResponseBase, content: Content, file_format: str) -> HttpResponseBase:
    answer["Content-Disposition"] = f'attachment; filename="{file_name(content, file_format)}"'
    return answer


def file_name(content: Content, file_format: str) -> str:
    """`spend-2026-11-27.csv`, with the day on which the file was made."""
    return f"{content.table.name}-{content.made_at.astimezone(content.zone):%Y-%m-%d}.{file_format}"
