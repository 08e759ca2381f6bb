"""What every view of the API shares."""

import re
from functools import cache
from typing import Any, ClassVar, cast

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from api.authentication import OPERATE, READ, SPEND
from keys.identity.queries.credentials import Bearer
from security.actor import Actor
from security.request_actor import agent_of

_PATH_VALUE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ApiView(APIView):
    """One resource.

    `scopes`: per method, the scopes of which a token needs one. `for_sessions`: whether session
    tokens are accepted. `problems`: per method, the statuses of the view's own refusals.
    """

    http_method_names = ("get", "head", "post")
    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"GET": (READ, OPERATE), "POST": (SPEND,)}
    problems: ClassVar[dict[str, tuple[int, ...]]] = {}
    for_sessions = False

    @property
    def bearer(self) -> Bearer:
        """The agent or the session whose token came with the request."""
        return cast("Bearer", self.request.auth)

    @property
    def actor(self) -> Actor:
        """The agent of the token, as the audit names it."""
        return agent_of(self.request, self.bearer.agent)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the token, its scope and its rate; a path value that cannot be a name is 404."""
        super().initial(request, *args, **kwargs)
        for value in kwargs.values():
            if isinstance(value, str) and not _PATH_VALUE.fullmatch(value):
                raise NotFound()


def serialize(output: type[Serializer], row: Any) -> dict[str, Any]:
    """Return `output(row).data`, by a serializer that is made once.

    Copying the fields of a serializer takes longer than using them, and they are only read.
    """
    return _serializer(output).to_representation(row)


@cache
def _serializer(output: type[Serializer]) -> Serializer:
    return output()


def created_response(data: dict[str, Any], *, created: bool) -> Response:
    """Return 201, or 200 with `Idempotent-Replay: true` when an earlier request created it."""
    if created:
        return Response(data, 201)
    return Response(data, 200, headers={"Idempotent-Replay": "true"})
