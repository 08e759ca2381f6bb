"""Allocations: lend, look, explain, watch."""

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.base import ApiView, created_response, serialize
from api.fields import Boolean, Integer, Name, Strict, String, Text, Tokens, Usd
from api.query_parameters import body, idempotency_key, query
from keys import services as keys
from keys.books.queries.allocations import (
    visible_allocation,
    visible_allocations,
    with_key,
)
from keys.identity.queries.credentials import session_token
from keys.models import Allocation, WireFormat
from prediction import services as prediction


class AllocationOutput(serializers.Serializer):
    """A token budget lent to one session. Counts are tokens."""

    id = serializers.IntegerField()
    session_id = serializers.CharField()
    base_url = serializers.SerializerMethodField(help_text="Of the OpenAI-compatible gateway.")
    key_id = serializers.CharField(source="api_key_id")
    provider = serializers.CharField(source="api_key.provider_id")
    model = serializers.CharField(source="api_key.model")
    agent = serializers.CharField(source="agent_id")
    cost_centre = serializers.CharField(source="cost_centre_id")
    allocated = serializers.IntegerField()
    used = serializers.IntegerField()
    held = serializers.IntegerField(help_text="Set aside for calls in flight.")
    left = serializers.IntegerField()
    rotation_threshold = serializers.IntegerField(help_text="`used` at which it should rotate.")
    rotation_needed = serializers.BooleanField()
    auto_rotate = serializers.BooleanField()
    wire_format = serializers.CharField(help_text="Spoken to the gateway; empty: not yet known.")
    refusal_status = serializers.IntegerField(allow_null=True)
    available_capacity = serializers.IntegerField(
        allow_null=True,
        help_text="Tokens that were free on the key when it was chosen; null is unlimited.",
    )
    cost_estimate = Usd(source="allocated_cost", help_text="The most it can cost, in USD.")
    used_cost = Usd(help_text="USD.")
    provider_expanded = serializers.BooleanField(
        help_text="The provider asked for had no candidate, so all were considered."
    )
    status = serializers.ChoiceField(Allocation.Status.choices)
    status_reason = serializers.CharField()
    overrun = serializers.BooleanField(help_text="More was used than was lent.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)

    def get_base_url(self, allocation: Allocation) -> str:
        """What a client of OpenAI takes as its base URL."""
        return f"{settings.PUBLIC_URL}/v1"


class NewAllocationOutput(AllocationOutput):
    """A new allocation, with the secret of its session: nowhere else is it shown."""

    session_token = serializers.SerializerMethodField(
        help_text="The API key for the gateway; also good for this session's endpoints here."
    )

    def get_session_token(self, allocation: Allocation) -> str:
        """The secret."""
        return session_token(allocation.session_id)


class AllocationListView(ApiView):
    """`/api/v1/allocations`."""

    problems = {"POST": (402, 409)}

    class Query(pagination.PageQuery):
        """Filters of the list."""

        status = serializers.ChoiceField(Allocation.Status.choices, required=False)

    class Input(Strict):
        """What is wanted. Either `tokens` or a `text` to estimate them from."""

        also = {"oneOf": [{"required": ["tokens"]}, {"required": ["text"]}]}

        tokens = Tokens(min_value=1, required=False)
        text = Text(required=False, help_text="Plain text or Markdown, up to 1 MB.")
        provider = Name(required=False, help_text="Preferred; others are taken if it has none.")
        model = String(required=False, max_length=200)
        cost_centre = Name(required=False, help_text="The agent's own, or one below it.")
        ttl_seconds = Integer(required=False, min_value=1, max_value=31_536_000)
        auto_rotate = Boolean(required=False, help_text="At the threshold; true by default.")
        wire_format = serializers.ChoiceField(
            WireFormat.choices,
            required=False,
            help_text="What the session will speak to the gateway: only keys that speak it.",
        )
        refusal_status = serializers.ChoiceField(
            [(status, str(status)) for status in keys.REFUSAL_STATUSES],
            required=False,
            help_text="How the gateway answers for want of budget. By default 429 in OpenAI's "
            "wire format and 402 in Anthropic's; OpenClaw needs 400.",
        )

        def validate(self, asked: dict) -> dict:
            """`tokens`, whichever way they were said."""
            if ("tokens" in asked) == ("text" in asked):
                raise serializers.ValidationError("Say either `tokens` or `text`.")
            if "text" in asked:
                asked["tokens"] = prediction.estimate(asked.pop("text")).estimated
            return asked

    @extend_schema(
        operation_id="allocate",
        summary="Lend a token budget to one session",
        description="Needs the scope spend. The same `Idempotency-Key` is the same allocation: the "
        "repeat is answered with 200 and `Idempotent-Replay: true`, the session token included.",
        request=Input,
        responses={201: NewAllocationOutput, 200: NewAllocationOutput},
        examples=[
            OpenApiExample("Tokens", {"tokens": 50_000, "provider": "groq"}, request_only=True),
            OpenApiExample("Text", {"text": "Write the API."}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Lend."""
        allocation, created = keys.allocate(
            agent=request.auth.agent,
            wish=keys.Wish(**body(request, self.Input)),
            idempotency_key=idempotency_key(request),
            now=timezone.now(),
        )
        lent = serialize(NewAllocationOutput, with_key(allocation))
        return created_response(lent, created=created)

    @extend_schema(
        operation_id="listAllocations",
        summary="Your allocations, the newest first",
        description="Needs the scope read; with operate, those of every agent.",
        parameters=[Query],
        responses=pagination.page_serializer(AllocationOutput),
    )
    def get(self, request: Request) -> Response:
        """List."""
        asked = query(request, self.Query)
        found = visible_allocations(request.auth).order_by("-id")
        if "status" in asked:
            found = found.filter(status=asked["status"])
        if after := pagination.position(asked.get("cursor"), int):
            found = found.filter(id__lt=after[0])
        limit = asked["limit"]
        rows = list(found[: limit + 1])
        return Response(
            pagination.page(rows, limit=limit, output=AllocationOutput, at=lambda row: (row.id,))
        )


class AllocationView(ApiView):
    """`/api/v1/allocations/{session_id}`."""

    for_sessions = True
    problems = {"GET": (404,)}

    @extend_schema(
        operation_id="allocation",
        summary="One allocation",
        responses=AllocationOutput,
    )
    def get(self, request: Request, session_id: str) -> Response:
        """Show."""
        found = visible_allocation(session_id, bearer=request.auth)
        return Response(serialize(AllocationOutput, found))
