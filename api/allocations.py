"""Allocations: lend, list, look at one."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api import pagination
from api.base import ApiView, created_response, serialize
from api.fields import Boolean, Integer, Name, Strict, String, Text, Tokens, Usd
from api.query_parameters import body, idempotency_key, query
from common import database_clock
from keys import services as keys
from keys.books.queries.allocations import (
    visible_allocation,
    visible_allocations,
    with_key,
)
from keys.identity.queries.credentials import session_token
from keys.models import Allocation, ModelMismatch, WireFormat
from prediction import services as prediction


class AllocationOutput(serializers.Serializer):
    """A token budget lent to one session of an agent, on one API key at a time."""

    id = serializers.IntegerField(help_text="Identifies the allocation.")
    session_id = serializers.CharField(help_text=texts.SESSION_ID)
    base_url = serializers.SerializerMethodField(
        help_text="The base URL of the gateway, to configure in an OpenAI client."
    )
    key_id = serializers.CharField(
        source="api_key_id", help_text="The API key that pays for the session's calls now."
    )
    provider = serializers.CharField(source="api_key.provider_id", help_text=texts.PROVIDER)
    model = serializers.CharField(
        source="default_model",
        help_text="The model that serves a call of the session that names none.",
    )
    models = serializers.ListField(
        source="named_models",
        child=serializers.CharField(),
        help_text="The models that the session was requested for and can use, or an empty list if "
        "it can use every model that its API key serves.",
    )
    model_mismatch = serializers.ChoiceField(ModelMismatch.choices, help_text=texts.MODEL_MISMATCH)
    agent = serializers.CharField(source="agent_id", help_text=texts.AGENT)
    cost_centre = serializers.CharField(source="cost_centre_id", help_text=texts.COST_CENTRE)
    label = serializers.CharField(help_text=texts.LABEL)  # type: ignore[assignment]
    allocated = serializers.IntegerField(help_text=texts.ALLOCATED)
    used = serializers.IntegerField(help_text=texts.USED)
    held = serializers.IntegerField(help_text=texts.HELD)
    left = serializers.IntegerField(help_text=texts.LEFT)
    rotation_threshold = serializers.IntegerField(help_text=texts.ROTATION_THRESHOLD)
    rotation_needed = serializers.BooleanField(help_text=texts.ROTATION_NEEDED)
    auto_rotate = serializers.BooleanField(
        help_text="True when Butler rotates the session by itself at the rotation threshold."
    )
    wire_format = serializers.CharField(
        help_text="The wire format that the session uses at the gateway, `openai` or `anthropic`, "
        "or an empty string if it is not known yet."
    )
    refusal_status = serializers.IntegerField(
        allow_null=True,
        help_text="The HTTP status with which the gateway refuses calls that exceed the budget, "
        "or null for the default, 400.",
    )
    available_capacity = serializers.IntegerField(
        allow_null=True,
        help_text="The number of tokens that were free on the API key when it was chosen, or null "
        "if the key has no limit.",
    )
    cost_estimate = Usd(
        source="allocated_cost",
        help_text="The most that the allocated tokens can cost, in US dollars.",
    )
    used_cost = Usd(help_text="The cost of the settled calls, in US dollars.")
    provider_expanded = serializers.BooleanField(
        help_text="True when the requested provider had no available API key, so that the keys of "
        "all providers were considered."
    )
    status = serializers.ChoiceField(Allocation.Status.choices, help_text=texts.ALLOCATION_STATUS)
    status_reason = serializers.CharField(
        help_text="Why the allocation has this status, or an empty string."
    )
    overrun = serializers.BooleanField(
        help_text="True when the session used more tokens than it was lent."
    )
    created_at = serializers.DateTimeField(help_text="The time at which the tokens were lent.")
    expires_at = serializers.DateTimeField(help_text=texts.ALLOCATION_EXPIRES_AT)
    closed_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which the allocation ended, or null before it."
    )

    def get_base_url(self, allocation: Allocation) -> str:
        """Return the address below which clients call the gateway."""
        return f"{settings.PUBLIC_URL}/v1"


class NewAllocationOutput(AllocationOutput):
    """A new allocation with its session token, which no other operation returns."""

    session_token = serializers.SerializerMethodField(
        help_text="The secret to use as the API key at the gateway. It is also accepted by the "
        "operations of this API on the same session."
    )

    def get_session_token(self, allocation: Allocation) -> str:
        """Return the secret of the session."""
        return session_token(allocation.session_id)


class AllocationListView(ApiView):
    """`/api/v1/allocations`."""

    problems = {"POST": (402, 403, 409)}

    class Query(pagination.PageQuery):
        """Which allocations to list."""

        status = serializers.ChoiceField(
            Allocation.Status.choices,
            required=False,
            help_text="Only allocations with this status are returned.",
        )

    class Input(Strict):
        """The budget to lend: either `tokens`, or a `text` from which they are estimated."""

        also = {"oneOf": [{"required": ["tokens"]}, {"required": ["text"]}]}

        tokens = Tokens(
            min_value=1,
            required=False,
            help_text="The number of tokens to lend. Required unless `text` is given.",
        )
        text = Text(
            required=False,
            help_text="A description of the work in plain text or Markdown, of at most 1 MB, from "
            "which the number of tokens is forecast: 90 of 100 such pieces of work need no more, "
            "or as the cost centre has it. Until enough work has settled, the tokens are those "
            "that `estimated` of `POST /api/v1/estimates` has. Required unless `tokens` is given.",
        )
        provider = Name(
            required=False,
            help_text="The preferred provider. If it has no available API key, the keys of all "
            "providers are considered.",
        )
        model = String(
            required=False,
            max_length=200,
            help_text="The model that the session will use, or an alias of it that an operator "
            "has set. Only API keys that serve it are considered. Use `models` instead to request "
            "several.",
        )
        models = serializers.ListField(
            child=String(max_length=200),
            required=False,
            min_length=1,
            max_length=20,
            help_text="The models that the session will use, such as a large and a small one. An "
            "API key that serves all of them is chosen, or else one key for each model. The tokens "
            "are set aside at the price of the dearest, and each call is charged at its own.",
        )
        model_mismatch = serializers.ChoiceField(
            ModelMismatch.choices, required=False, help_text=texts.MODEL_MISMATCH
        )
        cost_centre = Name(
            required=False,
            help_text="The cost centre that pays: the agent's own, which is the default, or one "
            "below it.",
        )
        label = String(  # type: ignore[assignment]
            required=False, max_length=100, help_text=texts.LABEL
        )
        ttl_seconds = Integer(
            required=False,
            min_value=1,
            max_value=settings.ALLOCATION_TTL_SECONDS_MAX,
            help_text="The lifetime of the allocation in seconds. Each call extends it to this "
            "time from then, as a heartbeat does. The default is "
            f"{settings.ALLOCATION_TTL_SECONDS:,} seconds.",
        )
        auto_rotate = Boolean(
            required=False,
            help_text="Whether Butler rotates the session by itself at the rotation threshold. "
            "The default is true.",
        )
        wire_format = serializers.ChoiceField(
            WireFormat.choices,
            required=False,
            help_text="The wire format that the session will use at the gateway. Only API keys "
            "whose provider supports it are considered.",
        )
        refusal_status = serializers.ChoiceField(
            [(status, str(status)) for status in keys.REFUSAL_STATUSES],
            required=False,
            help_text="The HTTP status with which the gateway refuses calls that exceed the "
            "budget. The default is 400, which nearly all clients send once only.",
        )

        def validate_label(self, label: str) -> str:
            """Refuse a label of Butler's own: an agent's calls are not those of a task."""
            if label.startswith(keys.TASK_LABEL):
                raise serializers.ValidationError(
                    "Use another label: those of tasks begin with task:"
                )
            return label

        def validate(self, values: dict) -> dict:
            """Refuse a budget that is given twice or not at all."""
            if ("tokens" in values) == ("text" in values):
                raise serializers.ValidationError("Send either `tokens` or `text`, and not both.")
            if "models" in values:
                values["models"] = tuple(values["models"])
            return values

    @extend_schema(
        operation_id="allocate",
        summary="Lend a token budget to a session",
        description="Requires the scope `spend`. Chooses the best API key that has room, sets the "
        "tokens aside and returns the session token. A repeated request with the same "
        "`Idempotency-Key` returns the same allocation, session token included, with status 200 "
        "and the header `Idempotent-Replay: true`.",
        request=Input,
        responses={201: NewAllocationOutput, 200: NewAllocationOutput},
        examples=[
            OpenApiExample("Tokens", {"tokens": 50_000, "provider": "groq"}, request_only=True),
            OpenApiExample(
                "Models",
                {"tokens": 500_000, "models": ["claude-sonnet-5", "claude-haiku-4-5"]},
                request_only=True,
            ),
            OpenApiExample("Text", {"text": "Write the API."}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Lend the budget and return the allocation with its session token."""
        values, key, now = body(request, self.Input), idempotency_key(request), database_clock.now()
        sized = self._sized(values) if "text" in values else None
        if sized:
            values |= {"tokens": sized.tokens, "sized_by": sized.sized_by}
        allocation, created = keys.allocate(
            agent=self.bearer.agent,
            request=keys.AllocationRequest(**values),
            idempotency_key=key,
            session_id=sized.session_id if sized else None,
            lend_by=sized.lend_by if sized else None,
            actor=self.actor,
            now=now,
        )
        data = serialize(NewAllocationOutput, with_key(allocation))
        return created_response(data, created=created)

    def _sized(self, values: dict[str, Any]) -> prediction.SizedBudget:
        """The budget by the forecast of the text, which is taken out of the values."""
        models = values.get("models") or (values.get("model", ""),)
        return prediction.size_budget(
            values.pop("text"),
            agent=self.bearer.agent,
            cost_centre=values.get("cost_centre"),
            group=prediction.Group(models[0], self.bearer.agent, values.get("label", "")),
        )

    @extend_schema(
        operation_id="listAllocations",
        summary="List allocations",
        description="Requires the scope `read`. Returns the allocations of the agent, newest "
        "first. With the scope `operate`, returns those of every agent.",
        parameters=[Query],
        responses=pagination.page_serializer(AllocationOutput),
    )
    def get(self, request: Request) -> Response:
        """Return a page of allocations."""
        values = query(request, self.Query)
        allocations = visible_allocations(self.bearer).order_by("-id")
        if "status" in values:
            allocations = allocations.filter(status=values["status"])
        if after := pagination.cursor_value(values.get("cursor"), int):
            allocations = allocations.filter(id__lt=after)
        limit = values["limit"]
        rows = list(allocations[: limit + 1])
        return Response(
            pagination.page(rows, limit=limit, output=AllocationOutput, at=lambda row: (row.id,))
        )


class AllocationView(ApiView):
    """`/api/v1/allocations/{session_id}`."""

    for_sessions = True
    problems = {"GET": (404,)}

    @extend_schema(
        operation_id="allocation",
        summary="Get an allocation",
        description="Requires the scope `read`, or the token of this session.",
        responses=AllocationOutput,
    )
    def get(self, request: Request, session_id: str) -> Response:
        """Return the allocation."""
        allocation = visible_allocation(session_id, bearer=self.bearer)
        return Response(serialize(AllocationOutput, allocation))
