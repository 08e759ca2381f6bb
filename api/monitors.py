"""How much of an allocation is used, and whether it should rotate."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView, serialize
from keys.books.queries.allocations import visible_allocation
from keys.models import Allocation


class MonitorView(ApiView):
    """`/api/v1/allocations/{session_id}/monitor`."""

    for_sessions = True
    problems = {"GET": (404,)}

    class Output(serializers.Serializer):
        """How far it is. Counts are tokens."""

        session_id = serializers.CharField()
        status = serializers.ChoiceField(Allocation.Status.choices)
        key_id = serializers.CharField(source="api_key_id")
        rotation_needed = serializers.BooleanField()
        rotation_threshold = serializers.IntegerField()
        allocated = serializers.IntegerField()
        used = serializers.IntegerField()
        held = serializers.IntegerField()
        left = serializers.IntegerField()
        expires_at = serializers.DateTimeField()

    @extend_schema(
        operation_id="monitor",
        summary="Is a rotation needed, how much is used and left",
        responses=Output,
    )
    def get(self, request: Request, session_id: str) -> Response:
        """Watch."""
        return Response(serialize(self.Output, visible_allocation(session_id, bearer=request.auth)))
