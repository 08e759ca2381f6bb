"""Statements of rails and banks, and the worklist of differences, to read."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.fields import NAME
from api.query_parameters import query
from api.treasury import ACCOUNT, TreasuryView, amount_field, number_of, position
from treasury import queries as treasury
from treasury.models import DifferenceStatus


class RailStatementOutput(serializers.Serializer):
    """A statement of a rail or bank as it was imported."""

    id = serializers.IntegerField(help_text="Identifies the statement.")
    account = serializers.CharField(
        source="account.name", help_text="The account of the ledger, such as `rail:bank`."
    )
    currency = serializers.CharField(
        source="account.currency", help_text="The currency of the account."
    )
    format = serializers.CharField(
        help_text="How it was read: `csv`, `camt053` or `mt940` of a file, or the vendor that "
        "Butler has fetched it from, such as `stripe`."
    )
    since = serializers.DateField(help_text="The first day that the statement has.")
    until = serializers.DateField(help_text="The last day that the statement has.")
    opening = amount_field("The balance before its lines.")
    closing = amount_field("The balance after its lines.")
    lines = serializers.IntegerField(source="line_count", help_text="How many lines it has.")
    open_differences = serializers.IntegerField(
        source="open_count", help_text="How many differences from the ledger are open."
    )
    imported_by = serializers.CharField(help_text="The person or command that imported it.")
    imported_at = serializers.DateTimeField(help_text="The time at which it was imported.")


class RailStatementListView(TreasuryView):
    """`/api/v1/treasury/rail-statements`."""

    class Query(pagination.PageQuery):
        """Which statements to list."""

        account = serializers.RegexField(
            ACCOUNT, default="", help_text="Only statements of this account are returned."
        )

    @extend_schema(
        operation_id="listRailStatements",
        summary="List statements of rails and banks",
        description="Requires the scope `finance`. Returns the statements that were imported, "
        "newest first, with how many differences from the ledger are open.",
        parameters=[Query],
        responses=pagination.page_serializer(RailStatementOutput),
        examples=[
            OpenApiExample(
                "A day of a bank",
                {
                    "results": [
                        {
                            "id": 3,
                            "account": "rail:bank",
                            "currency": "USD",
                            "format": "camt053",
                            "since": "2026-11-02",
                            "until": "2026-11-02",
                            "opening": "1000.000000000",
                            "closing": "979.120000000",
                            "lines": 2,
                            "open_differences": 1,
                            "imported_by": "person:fay",
                            "imported_at": "2026-11-03T08:00:00Z",
                        }
                    ],
                    "next_cursor": None,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """Return a page of statements."""
        values = query(request, self.Query)
        limit, after = position(values)
        rows = treasury.rail_statement_page(**values, after=after, most=limit + 1)
        return Response(
            pagination.page(rows, limit=limit, output=RailStatementOutput, at=number_of)
        )


class DifferenceOutput(serializers.Serializer):
    """Something that a bill or a statement has otherwise than Butler, with its evidence."""

    id = serializers.IntegerField(help_text="Identifies the difference.")
    kind = serializers.CharField(help_text="The kind, such as `price` or `missing_transfer`.")
    status = serializers.ChoiceField(
        DifferenceStatus.choices, help_text="What has become of the difference."
    )
    provider = serializers.CharField(
        source="provider_id", allow_null=True, help_text="The provider that billed it, or null."
    )
    account = serializers.CharField(
        source="account.name",
        default=None,
        allow_null=True,
        help_text="The account of the statement that it is from, or null.",
    )
    day = serializers.DateField(help_text="The day that it belongs to.")
    own = amount_field("What Butler has: below zero if money left an account.")
    theirs = serializers.DecimalField(
        max_digits=38, decimal_places=12, help_text="What the bill or the statement has."
    )
    currency = serializers.CharField(help_text="The currency of both amounts.")
    evidence = serializers.CharField(help_text="What the kind was found by.")
    reason = serializers.CharField(help_text="Why it was settled so, or an empty string.")


class DifferenceListView(TreasuryView):
    """`/api/v1/treasury/differences`."""

    class Query(pagination.PageQuery):
        """Which differences to list."""

        status = serializers.ChoiceField(
            DifferenceStatus.choices,
            default="",
            help_text="Only differences with this status are returned.",
        )
        provider = serializers.RegexField(
            NAME, default="", help_text="Only differences from the bills of this provider."
        )
        account = serializers.RegexField(
            ACCOUNT, default="", help_text="Only differences from the statements of this account."
        )

    @extend_schema(
        operation_id="listDifferences",
        summary="List differences from bills and statements",
        description="Requires the scope `finance`. Returns what bills of providers and statements "
        "of rails have otherwise than Butler, newest first.",
        parameters=[Query],
        responses=pagination.page_serializer(DifferenceOutput),
        examples=[
            OpenApiExample(
                "A line that the ledger does not have",
                {
                    "results": [
                        {
                            "id": 9,
                            "kind": "missing_transfer",
                            "status": "open",
                            "provider": None,
                            "account": "rail:bank",
                            "day": "2026-11-02",
                            "own": "0.000000000",
                            "theirs": "-0.880000000000",
                            "currency": "USD",
                            "evidence": "The ledger has no transfer of this line.",
                            "reason": "",
                        }
                    ],
                    "next_cursor": None,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """Return a page of differences."""
        values = query(request, self.Query)
        limit, after = position(values)
        rows = treasury.difference_page(**values, after=after, most=limit + 1)
        return Response(pagination.page(rows, limit=limit, output=DifferenceOutput, at=number_of))
