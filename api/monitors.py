"""How much of an allocation is used, and whether it should rotate."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api.base import ApiView, serialize
from keys.books.queries.allocations import visible_allocation
from keys.models import Allocation


class MonitorView(ApiView):
    """`/api/v1/allocations/{session_id}/monitor`."""

    for_sessions = True
    problems = {"GET": (404,)}

    class Output(serializers.Serializer):
        """How much of the budget is used, in tokens, and whether to rotate."""

        session_id = serializers.CharField(help_text=texts.SESSION_ID)
        status = serializers.ChoiceField(
            Allocation.Status.choices, help_text=texts.ALLOCATION_STATUS
        )
        key_id = serializers.CharField(
            source="api_key_id", help_text="The API key that pays for the session's calls now."
        )
        rotation_needed = serializers.BooleanField(help_text=texts.ROTATION_NEEDED)
        rotation_threshold = serializers.IntegerField(help_text=texts.ROTATION_THRESHOLD)
        allocated = serializers.IntegerField(help_text=texts.ALLOCATED)
        used = serializers.IntegerField(help_text=texts.USED)
        held = serializers.IntegerField(help_text=texts.HELD)
        left = serializers.IntegerField(help_text=texts.LEFT)
        expires_at = serializers.DateTimeField(help_text=texts.ALLOCATION_EXPIRES_AT)

    @extend_schema(
        operation_id="monitor",
        summary="Monitor an allocation",
        description="Requires the scope `read`, or the token of this session. Returns how much is "
        "used and left, and whether the session should rotate to another API key.",
        responses=Output,
    )
    def get(self, request: Request, session_id: str) -> Response:
        """Return the state of the budget."""
        return Response(serialize(self.Output, visible_allocation(session_id, bearer=self.bearer)))
