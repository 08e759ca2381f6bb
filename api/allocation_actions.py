"""What a session does: report usage, rotate, stay alive, end."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.allocations import AllocationOutput
from api.base import ApiView, created_response, serialize
from api.fields import Integer, Name, Strict, String, Tokens, Usd
from api.query_parameters import body, idempotency_key
from keys import services as keys
from keys.books.queries.allocations import own_allocation, own_allocation_id


class AllocationActionView(ApiView):
    """Writes of one session, with its own token or one of its agent's."""

    for_sessions = True
    problems = {"POST": (404, 409)}


class UsageReportView(AllocationActionView):
    """`/api/v1/allocations/{session_id}/usage`."""

    class Input(Strict):
        """Tokens of one call: input and output, or only the total."""

        also = {
            "oneOf": [
                {"required": ["input_tokens"]},
                {"required": ["output_tokens"], "not": {"required": ["input_tokens"]}},
                {"required": ["total_tokens"]},
            ]
        }

        input_tokens = Tokens(required=False)
        output_tokens = Tokens(required=False)
        cached_tokens = Tokens(required=False, help_text="Part of `input_tokens`.")
        cache_write_tokens = Tokens(required=False, help_text="Part of `input_tokens`.")
        cache_write_long_tokens = Tokens(
            required=False, help_text="Kept an hour; part of `cache_write_tokens`."
        )
        audio_input_tokens = Tokens(required=False, help_text="Part of `input_tokens`.")
        reasoning_tokens = Tokens(required=False, help_text="Part of `output_tokens`.")
        audio_output_tokens = Tokens(required=False, help_text="Part of `output_tokens`.")
        total_tokens = Tokens(
            required=False, help_text="Alone: priced at the highest rate, for want of the parts."
        )
        model = String(required=False, max_length=200, help_text="If it was another one.")

        def validate(self, asked: dict) -> dict:
            """Parts or total, not both, not neither."""
            parts = {name for name in asked if name.endswith("_tokens")} - {"total_tokens"}
            if ("total_tokens" in asked) == bool(parts & {"input_tokens", "output_tokens"}):
                raise serializers.ValidationError(
                    "Say `input_tokens` and `output_tokens`, or only `total_tokens`."
                )
            if "total_tokens" in asked and parts:
                raise serializers.ValidationError("`total_tokens` stands alone.")
            return asked

    class Output(serializers.Serializer):
        """What was recorded, and the allocation after it."""

        charge_id = serializers.IntegerField(source="id")
        key_id = serializers.CharField(source="api_key_id", help_text="That was charged.")
        model = serializers.CharField()
        input_tokens = serializers.IntegerField()
        cached_tokens = serializers.IntegerField()
        cache_write_tokens = serializers.IntegerField()
        cache_write_long_tokens = serializers.IntegerField()
        audio_input_tokens = serializers.IntegerField()
        output_tokens = serializers.IntegerField()
        reasoning_tokens = serializers.IntegerField()
        audio_output_tokens = serializers.IntegerField()
        tokens = serializers.IntegerField()
        cost = Usd(help_text="USD.")
        overrun = serializers.BooleanField(help_text="More than was left; recorded in full.")
        recorded_at = serializers.DateTimeField(source="settled_at")
        allocation = AllocationOutput()

    @extend_schema(
        operation_id="reportUsage",
        summary="Report what a call used",
        description="Recorded in full, also when it is more than was left or the allocation is "
        "closed. The same `Idempotency-Key` is the same report (200, `Idempotent-Replay: true`).",
        request=Input,
        responses={201: Output, 200: Output},
        examples=[
            OpenApiExample("A call", {"input_tokens": 800, "output_tokens": 200}, request_only=True)
        ],
    )
    def post(self, request: Request, session_id: str) -> Response:
        """Report."""
        asked = body(request, self.Input)
        charge, created = keys.report_usage(
            allocation_id=own_allocation_id(session_id, bearer=request.auth),
            model=asked.pop("model", ""),
            usage=keys.Usage(total=asked.pop("total_tokens", None), **asked),
            idempotency_key=idempotency_key(request),
            now=timezone.now(),
        )
        charge.allocation = own_allocation(session_id, bearer=request.auth)
        return created_response(serialize(self.Output, charge), created=created)


class RotationView(AllocationActionView):
    """`/api/v1/allocations/{session_id}/rotation`."""

    class Input(Strict):
        """Where to; the best other key if it is not said."""

        key_id = Name(required=False)

    class Output(serializers.Serializer):
        """A move of what is left to another key."""

        from_key_id = serializers.CharField()
        to_key_id = serializers.CharField()
        moved_tokens = serializers.IntegerField()
        reason = serializers.CharField()
        rotated_at = serializers.DateTimeField(source="created_at")
        allocation = AllocationOutput()

    @extend_schema(
        operation_id="rotate",
        summary="Move what is left to another key",
        description="The same `Idempotency-Key` is the same rotation; also when others rotated the "
        "session at the same time, theirs is answered (200, `Idempotent-Replay: true`).",
        request=Input,
        responses={201: Output, 200: Output},
        examples=[OpenApiExample("To a key", {"key_id": "nvidia-2"}, request_only=True)],
    )
    def post(self, request: Request, session_id: str) -> Response:
        """Rotate."""
        asked = body(request, self.Input)
        rotation, created = keys.rotate(
            allocation=own_allocation(session_id, bearer=request.auth),
            key=asked.get("key_id"),
            reason="asked for",
            who=request.auth.who,
            idempotency_key=idempotency_key(request),
            now=timezone.now(),
        )
        rotation.allocation = own_allocation(session_id, bearer=request.auth)
        return created_response(serialize(self.Output, rotation), created=created)


class CompletionView(AllocationActionView):
    """`/api/v1/allocations/{session_id}/completion`."""

    class Input(Strict):
        """Nothing."""

    @extend_schema(
        operation_id="complete",
        summary="The work is done: give back what is left",
        description="Idempotent by state: twice is once.",
        request=None,
        responses=AllocationOutput,
    )
    def post(self, request: Request, session_id: str) -> Response:
        """Complete."""
        body(request, self.Input)
        idempotency_key(request)
        pk = own_allocation_id(session_id, bearer=request.auth)
        keys.complete(allocation_id=pk, who=request.auth.who, now=timezone.now())
        return _allocation_response(request, session_id)


class FailureView(AllocationActionView):
    """`/api/v1/allocations/{session_id}/failure`."""

    class Input(Strict):
        """Why."""

        reason = String(required=False, allow_blank=True, max_length=300)

    @extend_schema(
        operation_id="fail",
        summary="The work failed: give back what is left",
        description="Idempotent by state: twice is once, with the first reason.",
        request=Input,
        responses=AllocationOutput,
        examples=[OpenApiExample("Why", {"reason": "no luck"}, request_only=True)],
    )
    def post(self, request: Request, session_id: str) -> Response:
        """Fail."""
        reason = body(request, self.Input).get("reason", "")
        idempotency_key(request)
        pk = own_allocation_id(session_id, bearer=request.auth)
        keys.fail(allocation_id=pk, reason=reason, who=request.auth.who, now=timezone.now())
        return _allocation_response(request, session_id)


class ExtensionView(AllocationActionView):
    """`/api/v1/allocations/{session_id}/extension`."""

    class Input(Strict):
        """How long from now."""

        ttl_seconds = Integer(min_value=1, max_value=31_536_000)

    @extend_schema(
        operation_id="extend",
        summary="Still alive: expire `ttl_seconds` from now, if that is later",
        description="The heartbeat. Idempotent by state: it never shortens.",
        request=Input,
        responses=AllocationOutput,
        examples=[OpenApiExample("An hour", {"ttl_seconds": 3600}, request_only=True)],
    )
    def post(self, request: Request, session_id: str) -> Response:
        """Extend."""
        asked = body(request, self.Input)
        idempotency_key(request)
        pk = own_allocation_id(session_id, bearer=request.auth)
        keys.extend(
            allocation_id=pk,
            ttl_seconds=asked["ttl_seconds"],
            who=request.auth.who,
            now=timezone.now(),
        )
        return _allocation_response(request, session_id)


def _allocation_response(request: Request, session_id: str) -> Response:
    return Response(serialize(AllocationOutput, own_allocation(session_id, bearer=request.auth)))
