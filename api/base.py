"""What every view of the API shares."""

import re
from functools import cache
from typing import Any, ClassVar

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from api.authentication import OPERATE, READ, SPEND

_PATH_VALUE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ApiView(APIView):
    """One resource. `scopes`: per method, of which one is needed; `for_sessions`: whether a session
    token is good for it; `problems`: per method, the statuses of its own refusals.
    """

    http_method_names = ("get", "head", "post")
    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"GET": (READ, OPERATE), "POST": (SPEND,)}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {}
    for_sessions = False

    def initial(self, request: Request, *args, **kwargs) -> None:
        """Who asks, and may they? A path with what no name has is not found."""
        super().initial(request, *args, **kwargs)
        for value in kwargs.values():
            if isinstance(value, str) and not _PATH_VALUE.fullmatch(value):
                raise NotFound()


def serialize(output: type[Serializer], row: Any) -> dict[str, Any]:
    """`output(row).data`, by a serializer made once: to copy its fields takes longer than to use
    them, and they are only read.
    """
    return _serializer(output).to_representation(row)


@cache
def _serializer(output: type[Serializer]) -> Serializer:
    return output()


def created_response(data: dict[str, Any], *, created: bool) -> Response:
    """201, or 200 with `Idempotent-Replay: true` when an earlier request created it."""
    if created:
        return Response(data, 201)
    return Response(data, 200, headers={"Idempotent-Replay": "true"})
