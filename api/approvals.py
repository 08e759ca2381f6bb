"""What an agent asked people for: budget requests, and every approval with its state."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.authentication import OPERATE, READ, SPEND
from api.base import ApiView, created_response, serialize
from api.fields import Strict, String
from api.query_parameters import body, idempotency_key, query
from common import database_clock
from gate import services as gate
from keys.identity.queries.credentials import Bearer
from keys.models import Period, Unit
from security import services as security
from security.actor import ActorKind
from security.models import Approval
from security.refusals import ApprovalNotFound

_BUDGET_REQUEST = "budget_request"


class GrantOutput(serializers.Serializer):
    """What was granted: it ends by itself."""

    amount = serializers.CharField(help_text="What the limit allows in addition.")
    starts_at = serializers.DateTimeField(help_text="The time from which the grant counts.")
    ends_at = serializers.DateTimeField(help_text="The time from which it no longer counts.")


class ApprovalOutput(serializers.Serializer):
    """A change that the agent asked for, and what people decided."""

    id = serializers.IntegerField(help_text="Identifies the approval.")
    kind = serializers.CharField(help_text="The kind of change, such as `budget_request`.")
    subject = serializers.CharField(help_text="What would be changed, such as `agent:ada`.")
    change = serializers.DictField(help_text="The change asked for, as its kind describes it.")
    effect = serializers.CharField(help_text="What the change does, in figures.")
    rule = serializers.CharField(
        help_text="Who approves by the amount, such as `Above 5,000 USD two persons approve.`, or "
        "an empty string if no rule depends on the amount."
    )
    yes_needed = serializers.IntegerField(
        min_value=1, max_value=2, help_text="How many persons have to approve."
    )
    yes_given = serializers.IntegerField(
        min_value=0, max_value=2, help_text="How many persons have approved."
    )
    reason = serializers.CharField(help_text="Why the change was asked for.")
    status = serializers.ChoiceField(
        Approval.Status.choices,
        help_text="The status: `asked` until somebody decides, then `approved`, `rejected`, "
        "`withdrawn` or `expired`.",
    )
    asked_at = serializers.DateTimeField(help_text="The time at which the change was asked for.")
    expires_at = serializers.DateTimeField(
        help_text="The time at which the approval expires without a decision."
    )
    decided_at = serializers.DateTimeField(
        allow_null=True, help_text="The time of the decision, or null before it."
    )
    decided_reason = serializers.CharField(help_text="Why it was decided so, or an empty string.")
    grant = GrantOutput(
        default=None,
        allow_null=True,
        read_only=True,
        help_text="What was granted, or null if nothing was.",
    )


_ApprovalPage = pagination.page_serializer(ApprovalOutput)


class ApprovalQuery(pagination.PageQuery):
    """Which approvals to list."""

    status = serializers.ChoiceField(
        Approval.Status.choices,
        required=False,
        help_text="Only approvals with this status are returned.",
    )


class ApprovalListView(ApiView):
    """`/api/v1/approvals`."""

    @extend_schema(
        operation_id="listApprovals",
        summary="List approvals",
        description="Requires the scope `read`. Returns what the agent asked people for, newest "
        "first, with their decisions. With the scope `operate`, returns what all agents asked for.",
        parameters=[ApprovalQuery],
        responses=_ApprovalPage,
    )
    def get(self, request: Request) -> Response:
        """Return a page of approvals."""
        return _page(_visible(self.bearer), query(request, ApprovalQuery))


class BudgetRequestListView(ApiView):
    """`/api/v1/budget-requests`."""

    scopes = {"GET": (READ, SPEND, OPERATE), "POST": (SPEND,)}
    problems = {"POST": (409,)}

    class Input(Strict):
        """How much more, beside which limit, until when, and why."""

        scope = String(
            max_length=80,
            help_text="The limited agent or cost centre, as a refusal names it: `agent:…` or "
            "`centre:…`.",
        )
        unit = serializers.ChoiceField(Unit.choices, help_text="The unit of the limit.")
        period = serializers.ChoiceField(Period.choices, help_text="The period of the limit.")
        amount = serializers.DecimalField(
            max_digits=24,
            decimal_places=9,
            min_value=0,
            help_text="How much more is needed in each period, in whole tokens or in US dollars.",
        )
        until = serializers.DateTimeField(
            help_text=f"The time at which the grant ends, within the next {gate.DAYS_MAX} days."
        )
        reason = String(
            max_length=300, help_text="Why it is needed; the person who decides reads it."
        )

    @extend_schema(
        operation_id="listBudgetRequests",
        summary="List budget requests",
        description="Requires the scope `read` or `spend`. Returns the budget requests of the "
        "agent, newest first, with what was decided and granted. With the scope `operate`, returns "
        "those of all agents.",
        parameters=[ApprovalQuery],
        responses=_ApprovalPage,
    )
    def get(self, request: Request) -> Response:
        """Return a page of budget requests."""
        rows = _visible(self.bearer).filter(kind=_BUDGET_REQUEST)
        return _page(rows, query(request, ApprovalQuery))

    @extend_schema(
        operation_id="requestBudget",
        summary="Ask people for more budget",
        description="Requires the scope `spend`. Asks for more than a limit of the agent, or of a "
        "cost centre that pays for it, allows. If a person approves, the limit allows the amount "
        f"in addition until the time given. At most {gate.OPEN_MAX} requests of an agent wait at "
        "a time. A repeated request with the same `Idempotency-Key` returns the same approval.",
        request=Input,
        responses={201: ApprovalOutput, 200: ApprovalOutput},
        examples=[
            OpenApiExample(
                "Tokens",
                {
                    "scope": "agent:ada",
                    "unit": "tokens",
                    "period": "day",
                    "amount": "200000",
                    "until": "2026-12-01T18:00:00Z",
                    "reason": "The migration takes two more days.",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Ask for the budget and return the approval that waits."""
        approval, created = gate.request_budget(
            self.bearer.agent,
            gate.BudgetRequest(**body(request, self.Input)),
            idempotency_key=idempotency_key(request),
            actor=self.actor,
            now=database_clock.now(),
        )
        return created_response(serialize(ApprovalOutput, approval), created=created)


class BudgetRequestView(ApiView):
    """`/api/v1/budget-requests/{approval_id}`."""

    scopes = {"GET": (READ, SPEND, OPERATE)}
    problems = {"GET": (404,)}

    @extend_schema(
        operation_id="budgetRequest",
        summary="Get a budget request",
        description="Requires the scope `read` or `spend`. Returns the request, what was decided, "
        "and the grant.",
        responses=ApprovalOutput,
    )
    def get(self, request: Request, approval_id: int) -> Response:
        """Return the approval of the request."""
        return Response(
            serialize(ApprovalOutput, _budget_request(_visible(self.bearer), approval_id))
        )


class WithdrawalView(ApiView):
    """`/api/v1/budget-requests/{approval_id}/withdrawal`."""

    problems = {"POST": (404, 409)}

    class Input(Strict):
        """Nothing has to be said."""

    @extend_schema(
        operation_id="withdrawBudgetRequest",
        summary="Withdraw a budget request",
        description="Requires the scope `spend`. Takes back a request that waits for a decision.",
        request=Input,
        responses=ApprovalOutput,
    )
    def post(self, request: Request, approval_id: int) -> Response:
        """Withdraw the request and return its approval."""
        body(request, self.Input)
        idempotency_key(request)
        asked = _budget_request(_asked_by(self.bearer), approval_id)
        approval = security.withdraw(asked.pk, actor=self.actor, now=database_clock.now())
        return Response(serialize(ApprovalOutput, approval))


def _page(rows: QuerySet[Approval], values: dict[str, Any]) -> Response:
    limit = values.pop("limit")
    after = pagination.cursor_value(values.pop("cursor", None), int)
    rows = rows.filter(**values).order_by("-id")
    if after:
        rows = rows.filter(id__lt=after)
    page = list(rows[: limit + 1])
    return Response(
        pagination.page(page, limit=limit, output=ApprovalOutput, at=lambda row: (row.id,))
    )


def _asked_by(bearer: Bearer) -> QuerySet[Approval]:
    """What the bearer's agent asked for."""
    return _visible(bearer).filter(asked_by_name=bearer.agent)


def _visible(bearer: Bearer) -> QuerySet[Approval]:
    """What the bearer may see: what its agent asked for, or what all agents did."""
    asked = Approval.objects.filter(asked_by_kind=ActorKind.AGENT).select_related("grant")
    return asked if bearer.sees_all else asked.filter(asked_by_name=bearer.agent)


def _budget_request(approvals: QuerySet[Approval], approval_id: int) -> Approval:
    found = approvals.filter(pk=approval_id, kind=_BUDGET_REQUEST).first()
    if found is None:
        raise ApprovalNotFound(approval_id=approval_id)
    return found
