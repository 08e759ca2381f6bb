"""Payouts of rails to the organisation's own bank account, to read."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.query_parameters import query
from api.treasury import TreasuryView, amount_field, number_of, position
from treasury import queries as treasury
from treasury.models import PayoutStatus


class PayoutOutput(serializers.Serializer):
    """Money of a rail that goes to the organisation's own bank account, once."""

    id = serializers.IntegerField(help_text="Identifies the payout.")
    rail = serializers.CharField(
        source="rail_account_id", help_text="The rail that the money leaves."
    )
    amount = amount_field("What goes to the bank.")
    currency = serializers.CharField(help_text="The currency of the amount.")
    destination = serializers.CharField(help_text="The vendor's id of the bank account.")
    status = serializers.ChoiceField(
        PayoutStatus.choices,
        help_text="The status: open until it is `settled`, or `refused`, `declined`, `expired` or "
        "`cancelled`.",
    )
    reason = serializers.CharField(help_text="Why it goes there.")
    asked_by = serializers.CharField(help_text="The person who asked for it.")
    asked_at = serializers.DateTimeField(help_text="The time at which it was asked for.")
    transfer = serializers.IntegerField(
        source="transfer_id",
        allow_null=True,
        help_text="The transfer that puts the money in transit, or null.",
    )
    settled_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which it was known to be paid out, or null."
    )
    ended_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which it ended without a payout, or null."
    )


class PayoutListView(TreasuryView):
    """`/api/v1/treasury/payouts`."""

    class Query(pagination.PageQuery):
        """Which payouts to list."""

        status = serializers.ChoiceField(
            PayoutStatus.choices,
            default="",
            help_text="Only payouts with this status are returned.",
        )

    @extend_schema(
        operation_id="listPayouts",
        summary="List payouts",
        description="Requires the scope `finance`. Returns the payouts of rails to the "
        "organisation's own bank account, newest first. People ask for payouts on the pages.",
        parameters=[Query],
        responses=pagination.page_serializer(PayoutOutput),
        examples=[
            OpenApiExample(
                "A payout of Stripe",
                {
                    "results": [
                        {
                            "id": 2,
                            "rail": "stripe",
                            "amount": "250.000000000",
                            "currency": "USD",
                            "destination": "ba_1",
                            "status": "settled",
                            "reason": "What is not needed.",
                            "asked_by": "person:finn",
                            "asked_at": "2026-11-02T08:00:00Z",
                            "transfer": 44,
                            "settled_at": "2026-11-04T06:00:00Z",
                            "ended_at": None,
                        }
                    ],
                    "next_cursor": None,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """Return a page of payouts."""
        values = query(request, self.Query)
        limit, after = position(values)
        rows = treasury.payout_page(**values, after=after, most=limit + 1)
        return Response(pagination.page(rows, limit=limit, output=PayoutOutput, at=number_of))
