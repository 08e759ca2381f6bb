"""Parsers of request bodies, which are of limited size and in UTF-8.

Read while Django REST framework is imported: nothing here may import its views.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class BodyTooLarge(APIException):
    """The body is larger than any request needs."""

    status_code = 413
    default_detail = "The body is larger than any request needs."
    default_code = "body_too_large"


def check_size(stream: Any) -> None:
    """Raise BodyTooLarge before the body is read. A body without a length is empty (WSGI)."""
    length = stream.META.get("CONTENT_LENGTH") or "0"
    if int(length) > settings.API_BODY_BYTES_MAX:
        raise BodyTooLarge()


class JsonAlways(BaseContentNegotiation):
    """One format for all: the `Accept` header is ignored."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return the parser for the media type of the body. Without one, the answer is 415."""
        media_type = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer and its media type."""
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class Json(BaseParser):
    """Parses `application/json`. NaN, infinity and values nested too deeply are malformed."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the value in the body. Raises BodyTooLarge, ParseError."""
        check_size(stream)
        try:
            return json.loads(stream.read().decode("utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not valid JSON: {error}.", "malformed") from None


class Multipart(MultiPartParser):
    """Parses `multipart/form-data`, for an upload."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the fields and files in the body. Raises BodyTooLarge."""
        check_size(stream)
        return super().parse(stream, media_type, parser_context)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
