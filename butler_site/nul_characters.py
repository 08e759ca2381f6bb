"""Middleware: PostgreSQL keeps no NUL in a text, so no address with one names anything."""

from collections.abc import Callable

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse

from butler_site.errors import bad_request


class RefuseNul:
    """Answers 400 to an address with a NUL character, in its path or its query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on unless its address has a NUL."""
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return bad_request(request, SuspiciousOperation())
        return self._get_response(request)
