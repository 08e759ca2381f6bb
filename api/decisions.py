"""Why an allocation got its API key."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView, serialize
from keys.books.queries.allocations import decision_of, visible_allocation


class CandidateOutput(serializers.Serializer):
    """A key that was considered."""

    key_id = serializers.CharField()
    verdict = serializers.CharField(help_text="A stable code, like `chosen`.")
    reason = serializers.CharField()


class AlternativeOutput(serializers.Serializer):
    """A key that had some room, when none had enough."""

    key_id = serializers.CharField()
    provider = serializers.CharField()
    capacity = serializers.IntegerField(allow_null=True)


class DecisionView(ApiView):
    """`/api/v1/allocations/{session_id}/decision`."""

    for_sessions = True
    problems = {"GET": (404,)}

    class Output(serializers.Serializer):
        """Why the allocation got its key, as of that moment."""

        session_id = serializers.CharField()
        chosen_key_id = serializers.CharField(source="chosen", allow_null=True)
        capacity = serializers.IntegerField(allow_null=True)
        provider_expanded = serializers.BooleanField()
        candidates = CandidateOutput(many=True)
        alternatives = AlternativeOutput(many=True)

    @extend_schema(
        operation_id="decision",
        summary="Why this key: every candidate and why it won or lost",
        responses=Output,
    )
    def get(self, request: Request, session_id: str) -> Response:
        """Explain."""
        found = visible_allocation(session_id, bearer=request.auth)
        explained = decision_of(found) or _UNEXPLAINED
        return Response(serialize(self.Output, {"session_id": session_id, **explained}))


_UNEXPLAINED = {
    "chosen": None,
    "capacity": None,
    "provider_expanded": False,
    "candidates": [],
    "alternatives": [],
}
