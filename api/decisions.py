"""Why an allocation got its API key."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api.base import ApiView, serialize
from keys.books.queries.allocations import decision_of, visible_allocation


class CandidateOutput(serializers.Serializer):
    """An API key that was considered, and why it was chosen or not."""

    key_id = serializers.CharField(help_text=texts.KEY_ID)
    verdict = serializers.CharField(
        help_text="A stable code for the outcome, for example `chosen` or `lower_priority`."
    )
    reason = serializers.CharField(help_text="The outcome in words.")


class AlternativeOutput(serializers.Serializer):
    """An API key that had some room when no key had enough."""

    key_id = serializers.CharField(help_text=texts.KEY_ID)
    provider = serializers.CharField(help_text=texts.PROVIDER)
    capacity = serializers.IntegerField(
        allow_null=True,
        help_text="The number of tokens that were free on the key, or null if it has no limit.",
    )


class DecisionView(ApiView):
    """`/api/v1/allocations/{session_id}/decision`."""

    for_sessions = True
    problems = {"GET": (404,)}

    class Output(serializers.Serializer):
        """Why the allocation got its API key, as decided when the tokens were lent."""

        session_id = serializers.CharField(help_text=texts.SESSION_ID)
        chosen_key_id = serializers.CharField(
            source="chosen",
            allow_null=True,
            help_text="The API key that was chosen, or null if the allocation was imported.",
        )
        capacity = serializers.IntegerField(
            allow_null=True,
            help_text="The number of tokens that were free on the chosen key, or null if it has "
            "no limit.",
        )
        provider_expanded = serializers.BooleanField(
            help_text="True when the requested provider had no available API key, so that the "
            "keys of all providers were considered."
        )
        candidates = CandidateOutput(
            many=True, help_text="Every API key that was considered, the best one first."
        )
        alternatives = AlternativeOutput(
            many=True, help_text="The API keys with the most room, when no key had enough."
        )

    @extend_schema(
        operation_id="decision",
        summary="Explain the choice of the API key",
        description="Requires the scope `read`, or the token of this session. Returns every API "
        "key that was considered and why it was chosen or not.",
        responses=Output,
    )
    def get(self, request: Request, session_id: str) -> Response:
        """Return the decision; an imported allocation has an empty one."""
        allocation = visible_allocation(session_id, bearer=self.bearer)
        decision = decision_of(allocation) or _NO_DECISION
        return Response(serialize(self.Output, {"session_id": session_id, **decision}))


_NO_DECISION: dict[str, Any] = {
    "chosen": None,
    "capacity": None,
    "provider_expanded": False,
    "candidates": [],
    "alternatives": [],
}
