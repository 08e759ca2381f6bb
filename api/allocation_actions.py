"""What a session does with its allocation: rotate, extend, complete, fail."""

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.allocations import AllocationOutput
from api.base import ApiView, created_response, serialize
from api.fields import Integer, Name, Strict, String
from api.query_parameters import body, idempotency_key
from common import database_clock
from keys import services as keys
from keys.books.queries.allocations import own_allocation, own_allocation_id


class AllocationActionView(ApiView):
    """What the actions of one session have in common: its own token is accepted, too."""

    for_sessions = True
    problems = {"POST": (404, 409)}

    def _allocation_response(self, session_id: str) -> Response:
        allocation = own_allocation(session_id, bearer=self.bearer)
        return Response(serialize(AllocationOutput, allocation))


class RotationView(AllocationActionView):
    """`/api/v1/allocations/{session_id}/rotation`."""

    class Input(Strict):
        """The API key to rotate to."""

        key_id = Name(
            required=False,
            help_text="The API key to rotate to. By default the best other key is chosen.",
        )

    class Output(serializers.Serializer):
        """The rotation, and the allocation after it."""

        from_key_id = serializers.CharField(help_text="The API key that paid before the rotation.")
        to_key_id = serializers.CharField(help_text="The API key that pays after the rotation.")
        moved_tokens = serializers.IntegerField(
            help_text="The number of tokens that moved to the other key."
        )
        reason = serializers.CharField(help_text="Why the session rotated.")
        rotated_at = serializers.DateTimeField(
            source="created_at", help_text="The time of the rotation."
        )
        allocation = AllocationOutput(help_text="The allocation after the rotation.")

    @extend_schema(
        operation_id="rotate",
        summary="Rotate a session to another API key",
        description="Requires the scope `spend`, or the token of this session. Moves the tokens "
        "that are left to another API key. The session goes on. A repeated request with the same "
        "`Idempotency-Key`, or one that meets a concurrent rotation, returns that rotation with "
        "status 200 and the header `Idempotent-Replay: true`.",
        request=Input,
        responses={201: Output, 200: Output},
        examples=[OpenApiExample("To a key", {"key_id": "nvidia-2"}, request_only=True)],
    )
    def post(self, request: Request, session_id: str) -> Response:
        """Rotate the session and return the rotation."""
        values = body(request, self.Input)
        rotation, created = keys.rotate(
            allocation=own_allocation(session_id, bearer=self.bearer),
            key=values.get("key_id"),
            reason="asked for",
            actor=self.actor,
            idempotency_key=idempotency_key(request),
            now=database_clock.now(),
        )
        rotation.allocation = own_allocation(session_id, bearer=self.bearer)
        return created_response(serialize(self.Output, rotation), created=created)


class CompletionView(AllocationActionView):
    """`/api/v1/allocations/{session_id}/completion`."""

    class Input(Strict):
        """An empty body."""

    @extend_schema(
        operation_id="complete",
        summary="Complete an allocation",
        description="Requires the scope `spend`, or the token of this session. Ends the allocation "
        "because the work is done and gives back the tokens that are left. A repeated request "
        "changes nothing.",
        request=None,
        responses=AllocationOutput,
    )
    def post(self, request: Request, session_id: str) -> Response:
        """Complete the allocation and return it."""
        body(request, self.Input)
        idempotency_key(request)
        pk = own_allocation_id(session_id, bearer=self.bearer)
        keys.complete(allocation_id=pk, actor=self.actor, now=database_clock.now())
        return self._allocation_response(session_id)


class FailureView(AllocationActionView):
    """`/api/v1/allocations/{session_id}/failure`."""

    class Input(Strict):
        """Why the work failed."""

        reason = String(
            required=False,
            allow_blank=True,
            max_length=300,
            help_text="Why the work failed, for people who read it later.",
        )

    @extend_schema(
        operation_id="fail",
        summary="Fail an allocation",
        description="Requires the scope `spend`, or the token of this session. Ends the allocation "
        "because the work failed and gives back the tokens that are left. A repeated request "
        "changes nothing: the first reason stays.",
        request=Input,
        responses=AllocationOutput,
        examples=[
            OpenApiExample("A reason", {"reason": "The tests still fail."}, request_only=True)
        ],
    )
    def post(self, request: Request, session_id: str) -> Response:
        """Fail the allocation and return it."""
        reason = body(request, self.Input).get("reason", "")
        idempotency_key(request)
        pk = own_allocation_id(session_id, bearer=self.bearer)
        keys.fail(
            allocation_id=pk,
            reason=reason,
            actor=self.actor,
            now=database_clock.now(),
        )
        return self._allocation_response(session_id)


class ExtensionView(AllocationActionView):
    """`/api/v1/allocations/{session_id}/extension`."""

    class Input(Strict):
        """The new lifetime."""

        ttl_seconds = Integer(
            min_value=1,
            max_value=settings.ALLOCATION_TTL_SECONDS_MAX,
            help_text="The lifetime of the allocation in seconds, counted from now.",
        )

    @extend_schema(
        operation_id="extend",
        summary="Extend an allocation",
        description="Requires the scope `spend`, or the token of this session. This is the "
        "heartbeat of a session: the allocation expires `ttl_seconds` from now. It is never "
        "shortened, so a repeated request does no harm.",
        request=Input,
        responses=AllocationOutput,
        examples=[OpenApiExample("An hour", {"ttl_seconds": 3600}, request_only=True)],
    )
    def post(self, request: Request, session_id: str) -> Response:
        """Extend the allocation and return it."""
        values = body(request, self.Input)
        idempotency_key(request)
        pk = own_allocation_id(session_id, bearer=self.bearer)
        keys.extend(
            allocation_id=pk,
            ttl_seconds=values["ttl_seconds"],
            actor=self.actor,
            now=database_clock.now(),
        )
        return self._allocation_response(session_id)
