"""Middleware: every request has an id, which the answer repeats and the audit keeps."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from security.request_actor import META_REQUEST_ID, request_id

HEADER = "X-Request-Id"


class RequestId:
    """Names each request by what the client sent in `X-Request-Id`, or by a new id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request, with its id in the same header."""
        name = request_id(request.headers.get(HEADER, ""))
        request.META[META_REQUEST_ID] = name
        response = self._get_response(request)
        response[HEADER] = name
        return response
