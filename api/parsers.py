"""Bodies: bounded, UTF-8, whatever they hold.

Read while Django REST framework is imported: nothing here may import its views.
"""

import json
from typing import Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser


class BodyTooLarge(APIException):
    """More than any request needs."""

    status_code = 413
    default_detail = "The body is larger than any request needs."
    default_code = "body_too_large"


def check_size(stream: Any) -> None:
    """Raise BodyTooLarge for what is not worth reading. A body has a length or is empty (WSGI)."""
    length = stream.META.get("CONTENT_LENGTH") or "0"
    if int(length) > settings.API_BODY_BYTES_MAX:
        raise BodyTooLarge()


class JsonAlways(BaseContentNegotiation):
    """One format for all: `Accept` is not looked at."""

    def select_parser(self, request, parsers):
        """The parser of the body's media type; None makes it a 415."""
        media_type = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(self, request, renderers, format_suffix=None):
        """The first."""
        return renderers[0], renderers[0].media_type


class Json(BaseParser):
    """`application/json`. NaN, infinity and what nests too deeply are malformed."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context=None) -> Any:
        """The value in the body."""
        check_size(stream)
        try:
            return json.loads(stream.read().decode("utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not JSON: {error}.", "malformed") from None


class Multipart(MultiPartParser):
    """`multipart/form-data`, for an upload."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context=None) -> Any:
        """The fields and files in the body."""
        check_size(stream)
        return super().parse(stream, media_type, parser_context)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
