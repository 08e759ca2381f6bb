"""Refunds of purchases and collections, and payouts to the organisation's own bank, to read."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.query_parameters import query
from api.treasury import TreasuryView, amount_field, number_of, position
from treasury import queries as treasury
from treasury.models import PayoutStatus, RefundSource, RefundStatus

_STATUS = (
    "The status: open until it is `settled`, or `refused`, `declined`, `expired` or `cancelled`. "
    "One that is `returning` has failed after it was settled, and waits for a person."
)


class _MoneyOrderOutput(serializers.Serializer):
    """What refunds and payouts have in common."""

    id = serializers.IntegerField(help_text="Identifies the refund or the payout.")
    amount = amount_field("What goes back, or to the bank.")
    currency = serializers.CharField(help_text="The currency of the amount.")
    reason = serializers.CharField(help_text="Why the money goes there.")
    asked_by = serializers.CharField(help_text="The person or job that asked for it.")
    asked_at = serializers.DateTimeField(help_text="The time at which it was asked for.")
    transfer = serializers.IntegerField(
        source="transfer_id",
        allow_null=True,
        help_text="The transfer that books it, or null. That of a refund names the one that it "
        "reverses; that of a payout puts the money in transit.",
    )
    settled_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which it was known to be made, or null."
    )
    ended_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which it ended without being made, or null."
    )


class RefundOutput(_MoneyOrderOutput):
    """Money of one purchase or collection that goes back, once."""

    rail = serializers.CharField(help_text="The rail of the payment.")
    status = serializers.ChoiceField(RefundStatus.choices, help_text=_STATUS)
    purchase = serializers.IntegerField(
        source="purchase_id",
        allow_null=True,
        help_text="The purchase whose money comes back to the rail, or null.",
    )
    collection = serializers.IntegerField(
        source="collection_id",
        allow_null=True,
        help_text="The collection whose money leaves the rail again, or null.",
    )
    origin = serializers.ChoiceField(
        RefundSource.choices,
        source="source",
        help_text="Whether a person asked for it (`asked`), or the vendor made it by itself "
        "(`vendor`).",
    )


class PayoutOutput(_MoneyOrderOutput):
    """Money of a rail that goes to the organisation's own bank account, once."""

    rail = serializers.CharField(
        source="rail_account_id", help_text="The rail that the money leaves."
    )
    status = serializers.ChoiceField(PayoutStatus.choices, help_text=_STATUS)
    destination = serializers.CharField(help_text="The vendor's id of the bank account.")


class RefundListView(TreasuryView):
    """`/api/v1/treasury/refunds`."""

    class Query(pagination.PageQuery):
        """Which refunds to list."""

        status = serializers.ChoiceField(
            RefundStatus.choices,
            default="",
            help_text="Only refunds with this status are returned.",
        )

    @extend_schema(
        operation_id="listRefunds",
        summary="List refunds",
        description="Requires the scope `finance`. Returns the refunds of purchases of credit and "
        "of collections, newest first. People ask for refunds on the pages.",
        parameters=[Query],
        responses=pagination.page_serializer(RefundOutput),
        examples=[
            OpenApiExample(
                "A part of a purchase",
                {
                    "results": [
                        {
                            "id": 3,
                            "purchase": 7,
                            "collection": None,
                            "rail": "simulator",
                            "amount": "15.000000000",
                            "currency": "USD",
                            "origin": "asked",
                            "status": "settled",
                            "reason": "More was bought than is needed.",
                            "asked_by": "person:finn",
                            "asked_at": "2026-11-02T08:00:00Z",
                            "transfer": 41,
                            "settled_at": "2026-11-02T08:00:02Z",
                            "ended_at": None,
                        }
                    ],
                    "next_cursor": None,
                },
                response_only=True,
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        """Return a page of refunds."""
        values = query(request, self.Query)
        limit, after = position(values)
        rows = treasury.refund_page(**values, after=after, most=limit + 1)
        return Response(pagination.page(rows, limit=limit, output=RefundOutput, at=number_of))


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
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        """Return a page of payouts."""
        values = query(request, self.Query)
        limit, after = position(values)
        rows = treasury.payout_page(**values, after=after, most=limit + 1)
        return Response(pagination.page(rows, limit=limit, output=PayoutOutput, at=number_of))
