"""Middleware: PostgreSQL keeps no NUL in a text, so no address with one names anything."""

from collections.abc import Callable

from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse

from butler_site.errors import bad_request, not_found


class RefuseNul:
    """Answers 404 to a path with a NUL character, and 400 to a query with one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on unless its address has a NUL."""
        if "\0" in request.path_info:
            return not_found(request, Http404())
        if "%00" in request.META.get("QUERY_STRING", ""):
            return bad_request(request, SuspiciousOperation())
        return self._get_response(request)
