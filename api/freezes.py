"""Freezes: list them, freeze, thaw."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.authentication import OPERATE
from api.base import ApiView, created_response, serialize
from api.fields import Strict, String
from api.query_parameters import body, idempotency_key, query
from common import database_clock
from keys import services as keys
from keys.models import Freeze, FreezeMode

_SCOPE = (
    "What is frozen: `key:NAME`, `provider:NAME`, `agent:NAME`, `centre:NAME` (a cost centre with "
    "all below it) or `all`."
)
_MODE = "What happens to calls that run: `cut` ends them, `drain` lets them end by themselves."


class FreezeOutput(serializers.Serializer):
    """A freeze: nothing is spent in its scope until it is thawed."""

    id = serializers.IntegerField(help_text="Identifies the freeze.")
    scope = serializers.CharField(help_text=_SCOPE)
    mode = serializers.ChoiceField(FreezeMode.choices, help_text=_MODE)
    reason = serializers.CharField(help_text="Why it was frozen.")
    frozen_by = serializers.CharField(
        source="frozen_by_name", help_text="The person, agent or job that froze it."
    )
    frozen_at = serializers.DateTimeField(help_text="The time at which it was frozen.")
    thawed_by = serializers.CharField(
        source="thawed_by_name",
        help_text="The person, agent or job that thawed it, or an empty string.",
    )
    thaw_reason = serializers.CharField(help_text="Why it was thawed, or an empty string.")
    thawed_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which it was thawed, or null while it is frozen."
    )


class FreezeListView(ApiView):
    """`/api/v1/freezes`."""

    scopes = {"GET": (OPERATE,), "POST": (OPERATE,)}
    problems = {"POST": (404,)}

    class Query(pagination.PageQuery):
        """Which freezes to list."""

        frozen = serializers.BooleanField(
            required=False,
            help_text="Whether to return only what is frozen now (true), or only what was thawed "
            "(false).",
        )

    class Input(Strict):
        """What to freeze, and why."""

        scope = String(max_length=80, help_text=_SCOPE)
        mode = serializers.ChoiceField(
            FreezeMode.choices, default=FreezeMode.CUT, help_text=f"{_MODE} The default is `cut`."
        )
        reason = String(max_length=300, help_text="Why it is frozen; people read it.")

    @extend_schema(
        operation_id="listFreezes",
        summary="List freezes",
        description="Requires the scope `operate`. Returns what is or was frozen, newest first.",
        parameters=[Query],
        responses=pagination.page_serializer(FreezeOutput),
    )
    def get(self, request: Request) -> Response:
        """Return a page of freezes."""
        values = query(request, self.Query)
        limit = values["limit"]
        freezes = Freeze.objects.order_by("-id")
        if (frozen := values.get("frozen")) is not None:
            freezes = freezes.filter(thawed_at__isnull=frozen)
        if after := pagination.cursor_value(values.get("cursor"), int):
            freezes = freezes.filter(id__lt=after)
        rows = list(freezes[: limit + 1])
        return Response(
            pagination.page(rows, limit=limit, output=FreezeOutput, at=lambda row: (row.id,))
        )

    @extend_schema(
        operation_id="freeze",
        summary="Freeze a key, a provider, an agent, a cost centre or everything",
        description="Requires the scope `operate`. When the response arrives, no process makes a "
        "call for the scope any more; with `cut`, running calls end within a second and are "
        "charged by what came of them. What is frozen already stays as it is, except that `cut` "
        "replaces `drain`; the response is then 200.",
        request=Input,
        responses={201: FreezeOutput, 200: FreezeOutput},
        examples=[
            OpenApiExample(
                "A leaked key",
                {"scope": "key:nvidia-1", "reason": "The key was in a log."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Freeze the scope and return the freeze."""
        values = body(request, self.Input)
        idempotency_key(request)
        row, created = keys.freeze(**values, actor=self.actor, now=database_clock.now())
        return created_response(serialize(FreezeOutput, row), created=created)


class ThawView(ApiView):
    """`/api/v1/freezes/{freeze_id}/thaw`."""

    scopes = {"POST": (OPERATE,)}
    problems = {"POST": (403, 404)}

    class Input(Strict):
        """Why it is thawed."""

        reason = String(max_length=300, help_text="Why it is thawed; people read it.")

    @extend_schema(
        operation_id="thaw",
        summary="Thaw what is frozen",
        description="Requires the scope `operate`. An agent cannot thaw what it froze itself, and "
        "nothing while it is frozen (403 `own_freeze`). A repeated thaw changes nothing: the "
        "first one stays.",
        request=Input,
        responses=FreezeOutput,
    )
    def post(self, request: Request, freeze_id: int) -> Response:
        """Thaw the freeze and return it."""
        values = body(request, self.Input)
        idempotency_key(request)
        row, _ = keys.thaw(freeze_id, **values, actor=self.actor, now=database_clock.now())
        return Response(serialize(FreezeOutput, row))
