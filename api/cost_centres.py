"""Cost centres: move one in the tree, close it, open it again, give it another name."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api.authentication import OPERATE
from api.base import ApiView, serialize
from api.fields import Boolean, Name, Strict, String
from api.query_parameters import body, idempotency_key
from common import database_clock
from keys import services as keys
from keys.models import CostCentre

_OWN = "An agent cannot do this to a cost centre that pays for itself (403 `own_place`)."


def open_work_field(what: str) -> Boolean:
    """Asks whether open work ends with `what`, such as `move`."""
    return Boolean(
        default=False,
        help_text=f"Whether the {what} ends open sessions and tasks. By default they stand in the "
        "way (409 `work_is_open`). Calls in flight go on, and are paid where they started.",
    )


def open_work_rule(*, ends: bool) -> keys.OpenWorkRule:
    """What the field of `open_work_field` asks for."""
    return keys.OpenWorkRule.END if ends else keys.OpenWorkRule.REFUSE


class CostCentreOutput(serializers.Serializer):
    """A cost centre and its place in the tree."""

    cost_centre = serializers.CharField(source="slug", help_text=texts.COST_CENTRE)
    name = serializers.CharField(help_text="The name of the cost centre on pages.")
    path = serializers.ListField(
        child=serializers.CharField(),
        help_text="The names of the cost centres from the top of the tree to this one.",
    )
    closed_at = serializers.DateTimeField(
        allow_null=True,
        help_text="The time at which it was closed, or null while it pays for new work.",
    )


class CostCentreView(ApiView):
    """An act on a cost centre: for tokens with the scope `operate` only."""

    scopes = {"POST": (OPERATE,)}
    problems = {"POST": (403, 404, 409)}

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Check the token, too; a cost centre that does not exist is 404."""
        super().initial(request, *args, **kwargs)
        if not CostCentre.objects.filter(pk=kwargs["cost_centre"]).exists():
            raise NotFound()


class MoveView(CostCentreView):
    """`/api/v1/cost-centres/{cost_centre}/move`."""

    class Input(Strict):
        """Where the cost centre goes, and why."""

        # A field, which the metaclass takes off the class.
        parent = Name(  # type: ignore[assignment]
            allow_null=True,
            help_text="The cost centre above it from now on, or null for the top of the tree.",
        )
        end_open_work = open_work_field("move")
        reason = String(max_length=300, help_text="Why it moves; people read it.")

    @extend_schema(
        operation_id="moveCostCentre",
        summary="Move a cost centre",
        description="Requires the scope `operate`. Puts the cost centre, with all below it, under "
        "another one from now on. What was spent stays in the budgets and reports of those above "
        f"it until now. {_OWN} The same place again changes nothing.",
        request=Input,
        responses=CostCentreOutput,
        examples=[
            OpenApiExample(
                "Another team",
                {"parent": "platform", "reason": "The team belongs to the platform now."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, cost_centre: str) -> Response:
        """Move it and return it."""
        values = body(request, self.Input)
        idempotency_key(request)
        moved = keys.move_cost_centre(
            cost_centre,
            parent=values["parent"] or "",
            open_work=open_work_rule(ends=values["end_open_work"]),
            reason=values["reason"],
            actor=self.actor,
            now=database_clock.now(),
        )
        return Response(serialize(CostCentreOutput, moved))


class ClosureView(CostCentreView):
    """`/api/v1/cost-centres/{cost_centre}/closure`."""

    class Input(Strict):
        """What becomes of the agents, and why it closes."""

        agents_to = Name(
            default="",
            help_text="The cost centre that pays for its agents from now on. By default they are "
            "switched off.",
        )
        end_open_work = open_work_field("closure")
        reason = String(max_length=300, help_text="Why it closes; people read it.")

    @extend_schema(
        operation_id="closeCostCentre",
        summary="Close a cost centre",
        description="Requires the scope `operate`. Closes the cost centre with all below it: they "
        "pay for nothing new, and what was spent stays in all reports. "
        f"{_OWN} A repeated closure changes nothing.",
        request=Input,
        responses=CostCentreOutput,
        examples=[
            OpenApiExample(
                "Merged",
                {"agents_to": "platform", "reason": "The team has merged with another one."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, cost_centre: str) -> Response:
        """Close it and return it."""
        values = body(request, self.Input)
        idempotency_key(request)
        closed = keys.close_cost_centre(
            cost_centre,
            agents_to=values["agents_to"],
            open_work=open_work_rule(ends=values["end_open_work"]),
            reason=values["reason"],
            actor=self.actor,
            now=database_clock.now(),
        )
        return Response(serialize(CostCentreOutput, closed))


class ReopeningView(CostCentreView):
    """`/api/v1/cost-centres/{cost_centre}/reopening`."""

    class Input(Strict):
        """Why it opens again."""

        reason = String(max_length=300, help_text="Why it opens again; people read it.")

    @extend_schema(
        operation_id="reopenCostCentre",
        summary="Reopen a cost centre",
        description="Requires the scope `operate`. Lets a closed cost centre pay again. Those "
        "below it stay closed, and its agents switched off. A repeated reopening changes nothing.",
        request=Input,
        responses=CostCentreOutput,
        examples=[OpenApiExample("Needed", {"reason": "The project goes on."}, request_only=True)],
    )
    def post(self, request: Request, cost_centre: str) -> Response:
        """Open it again and return it."""
        values = body(request, self.Input)
        idempotency_key(request)
        opened = keys.reopen_cost_centre(
            cost_centre, reason=values["reason"], actor=self.actor, now=database_clock.now()
        )
        return Response(serialize(CostCentreOutput, opened))


class RenamingView(CostCentreView):
    """`/api/v1/cost-centres/{cost_centre}/renaming`."""

    class Input(Strict):
        """The name, and why."""

        name = String(max_length=200, help_text="The name of the cost centre on pages.")
        reason = String(max_length=300, help_text="Why it is renamed; people read it.")

    @extend_schema(
        operation_id="renameCostCentre",
        summary="Rename a cost centre",
        description="Requires the scope `operate`. Gives the cost centre another name on pages; "
        "its name in the API stays, and so does the name that closed months have.",
        request=Input,
        responses=CostCentreOutput,
        examples=[
            OpenApiExample(
                "A name", {"name": "Research", "reason": "It was misspelt."}, request_only=True
            )
        ],
    )
    def post(self, request: Request, cost_centre: str) -> Response:
        """Rename it and return it."""
        values = body(request, self.Input)
        idempotency_key(request)
        renamed = keys.rename_cost_centre(
            cost_centre, **values, actor=self.actor, now=database_clock.now()
        )
        return Response(serialize(CostCentreOutput, renamed))
