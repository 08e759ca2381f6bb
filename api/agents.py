"""Agents: let another cost centre pay for one, and give it another name."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api.authentication import OPERATE
from api.base import ApiView, serialize
from api.cost_centres import open_work_field, open_work_rule
from api.fields import Name, Strict, String
from api.query_parameters import body, idempotency_key
from common import database_clock
from keys import services as keys


class AgentOutput(serializers.Serializer):
    """An agent and the cost centre that pays for it."""

    agent = serializers.CharField(source="slug", help_text=texts.AGENT)
    name = serializers.CharField(help_text="The name of the agent on pages.")
    cost_centre = serializers.CharField(source="cost_centre_id", help_text=texts.COST_CENTRE)
    disabled_at = serializers.DateTimeField(
        allow_null=True,
        help_text="The time at which the agent was switched off, or null while it is on.",
    )


class AgentMoveView(ApiView):
    """`/api/v1/agents/{agent}/move`."""

    scopes = {"POST": (OPERATE,)}
    problems = {"POST": (403, 404, 409)}

    class Input(Strict):
        """Who pays from now on, and why."""

        cost_centre = Name(help_text="The cost centre that pays for the agent from now on.")
        end_open_work = open_work_field("move")
        reason = String(max_length=300, help_text="Why the agent moves; people read it.")

    @extend_schema(
        operation_id="moveAgent",
        summary="Move an agent",
        description="Requires the scope `operate`. Lets another cost centre pay for the agent from "
        "now on. What it spent stays with the cost centre that paid for it. An agent cannot move "
        "itself (403 `own_place`). The same cost centre again changes nothing.",
        request=Input,
        responses=AgentOutput,
        examples=[
            OpenApiExample(
                "Another team",
                {"cost_centre": "platform", "end_open_work": True, "reason": "It changed teams."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, agent: str) -> Response:
        """Move the agent and return it."""
        values = body(request, self.Input)
        idempotency_key(request)
        moved = keys.move_agent(
            agent,
            cost_centre=values["cost_centre"],
            open_work=open_work_rule(ends=values["end_open_work"]),
            reason=values["reason"],
            actor=self.actor,
            now=database_clock.now(),
        )
        return Response(serialize(AgentOutput, moved))


class AgentRenamingView(ApiView):
    """`/api/v1/agents/{agent}/renaming`."""

    scopes = {"POST": (OPERATE,)}
    problems = {"POST": (404,)}

    class Input(Strict):
        """The name, and why."""

        name = String(max_length=200, help_text="The name of the agent on pages.")
        reason = String(max_length=300, help_text="Why it is renamed; people read it.")

    @extend_schema(
        operation_id="renameAgent",
        summary="Rename an agent",
        description="Requires the scope `operate`. Gives the agent another name on pages; its name "
        "in the API stays.",
        request=Input,
        responses=AgentOutput,
        examples=[
            OpenApiExample(
                "A name", {"name": "Ada", "reason": "People call it so."}, request_only=True
            )
        ],
    )
    def post(self, request: Request, agent: str) -> Response:
        """Rename the agent and return it."""
        values = body(request, self.Input)
        idempotency_key(request)
        renamed = keys.rename_agent(agent, **values, actor=self.actor, now=database_clock.now())
        return Response(serialize(AgentOutput, renamed))
