"""Bodies, query parameters and headers of requests, read strictly."""

import re
from functools import cache
from typing import Any, TypeVar

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from api.fields import Strict

_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class WrongParameter(ValidationError):
    """A query parameter or header has an invalid value."""


S = TypeVar("S", bound=Strict)


def body(request: Request, serializer_class: type[S]) -> dict[str, Any]:
    """Return the values in the body. Raises ValidationError."""
    try:
        # By a serializer that is made once: copying its fields takes longer than using them, and
        # they keep nothing of a request.
        return dict(_serializer(serializer_class).run_validation(request.data))
    except ValidationError:
        # It words the errors.
        serializer = serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


@cache
def _serializer(serializer_class: type[Strict]) -> Strict:
    return serializer_class()


def query(request: Request, serializer_class: type[S]) -> dict[str, Any]:
    """Return the query parameters. Raises WrongParameter."""
    serializer = serializer_class(data=request.query_params.dict())
    if not serializer.is_valid():
        raise WrongParameter(serializer.errors)
    return dict(serializer.validated_data)


def idempotency_key(request: Request) -> str | None:
    """Return the `Idempotency-Key` header. Raises WrongParameter."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise WrongParameter(
            {"Idempotency-Key": ["Send 1 to 255 printable ASCII characters, for example a UUID."]}
        )
    return key
