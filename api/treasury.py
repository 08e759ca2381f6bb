"""The organisation's money, to read: accounts, transfers, purchases, and credit with its runway."""

from typing import ClassVar

from django.db.models import Model
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.authentication import FINANCE
from api.base import ApiView
from api.fields import NAME
from api.query_parameters import query
from common import database_clock
from treasury import queries as treasury
from treasury.models import (
    AccountKind,
    Phase,
    PurchaseMethod,
    PurchaseStatus,
    TransferKind,
)

ACCOUNT = r"^[A-Za-z0-9][A-Za-z0-9:._-]{0,199}$"


def amount_field(help_text: str) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=38, decimal_places=9, help_text=help_text)


class TreasuryView(ApiView):
    """A list of the Treasury: for tokens with the scope `finance` only."""

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"GET": (FINANCE,)}


class AccountOutput(serializers.Serializer):
    """Where money is, or what it was spent on, in one currency."""

    id = serializers.IntegerField(help_text="Identifies the account.")
    name = serializers.CharField(help_text="The name of the account, such as `rail:stripe`.")
    kind = serializers.ChoiceField(AccountKind.choices, help_text="What the account stands for.")
    currency = serializers.CharField(help_text="The code of its currency, such as `USD`.")
    normal_side = serializers.CharField(
        help_text="The side on which the account grows: `debit` or `credit`."
    )
    balance = amount_field("What is on the account. What is pending does not count.")
    available = amount_field("The balance less what pending transfers may still take.")
    created_at = serializers.DateTimeField(help_text="The time at which the account was opened.")


class AccountListView(TreasuryView):
    """`/api/v1/treasury/accounts`."""

    class Query(pagination.PageQuery):
        """Which accounts to list."""

        kind = serializers.ChoiceField(
            AccountKind.choices, default="", help_text="Only accounts of this kind are returned."
        )

    @extend_schema(
        operation_id="listAccounts",
        summary="List accounts of the Treasury",
        description="Requires the scope `finance`. Returns the accounts of the ledger with their "
        "balances, in the order in which they were opened.",
        parameters=[Query],
        responses=pagination.page_serializer(AccountOutput),
        examples=[
            OpenApiExample(
                "A rail",
                {
                    "results": [
                        {
                            "id": 1,
                            "name": "rail:stripe",
                            "kind": "rail",
                            "currency": "USD",
                            "normal_side": "debit",
                            "balance": "1000.000000000",
                            "available": "960.000000000",
                            "created_at": "2026-11-02T08:00:00Z",
                        }
                    ],
                    "next_cursor": None,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """Return a page of accounts."""
        values = query(request, self.Query)
        limit, after = position(values)
        rows = treasury.account_page(**values, after=after, most=limit + 1)
        return Response(pagination.page(rows, limit=limit, output=AccountOutput, at=number_of))


class TransferOutput(serializers.Serializer):
    """One movement of money. It is never changed: a correction is another transfer."""

    id = serializers.IntegerField(help_text="Identifies the transfer.")
    journal = serializers.UUIDField(help_text="What transfers have in common that belong together.")
    debit = serializers.CharField(source="debit.name", help_text="The account that is debited.")
    credit = serializers.CharField(source="credit.name", help_text="The account that is credited.")
    currency = serializers.CharField(help_text="The currency of both accounts.")
    amount = amount_field("What moves from the credited to the debited account.")
    kind = serializers.ChoiceField(TransferKind.choices, help_text="What the transfer is for.")
    phase = serializers.ChoiceField(
        Phase.choices, help_text="Whether it is posted at once, sets money aside, or ends that."
    )
    pending_of = serializers.IntegerField(
        source="pending_of_id",
        allow_null=True,
        help_text="The pending transfer that this one ends, or null.",
    )
    corrects = serializers.IntegerField(
        source="corrects_id",
        allow_null=True,
        help_text="The transfer that this one corrects, or null.",
    )
    rate = serializers.IntegerField(
        source="rate_id",
        allow_null=True,
        help_text="The exchange rate that an exchange is compared with, or null.",
    )
    effective_on = serializers.DateField(help_text="The day that the transfer belongs to.")
    reference = serializers.CharField(help_text="How the other side names it, or an empty string.")
    recorded_by = serializers.CharField(help_text="The person or job that recorded it.")
    created_at = serializers.DateTimeField(help_text="The time at which the ledger learnt of it.")


class TransferListView(TreasuryView):
    """`/api/v1/treasury/transfers`."""

    class Query(pagination.PageQuery):
        """Which transfers to list."""

        account = serializers.RegexField(
            ACCOUNT,
            default="",
            help_text="Only transfers of this account are returned, such as `rail:stripe`.",
        )
        since = serializers.DateField(
            required=False, help_text="Only transfers of this day or later are returned."
        )
        until = serializers.DateField(
            required=False, help_text="Only transfers of this day or earlier are returned."
        )

    @extend_schema(
        operation_id="listTransfers",
        summary="List transfers of the Treasury",
        description="Requires the scope `finance`. Returns the transfers of the ledger, newest "
        "first. What is pending is among them, and so is what ends it.",
        parameters=[Query],
        responses=pagination.page_serializer(TransferOutput),
        examples=[
            OpenApiExample(
                "Credit is bought",
                {
                    "results": [
                        {
                            "id": 12,
                            "journal": "0d9a1f6e-5b0e-4d0e-9a39-0f3c0c7b8a11",
                            "debit": "credit:openai",
                            "credit": "transit:openai",
                            "currency": "USD",
                            "amount": "40.000000000",
                            "kind": "purchase",
                            "phase": "single",
                            "pending_of": None,
                            "corrects": None,
                            "rate": None,
                            "effective_on": "2026-11-02",
                            "reference": "pi_3N",
                            "recorded_by": "job:purchases",
                            "created_at": "2026-11-02T08:00:03Z",
                        }
                    ],
                    "next_cursor": None,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """Return a page of transfers."""
        values = query(request, self.Query)
        limit, after = position(values)
        rows = treasury.transfer_page(
            treasury.TransferFilter(**values), after=after, most=limit + 1
        )
        return Response(pagination.page(rows, limit=limit, output=TransferOutput, at=number_of))


class PurchaseOutput(serializers.Serializer):
    """Prepaid credit that is bought from a provider, once."""

    id = serializers.IntegerField(help_text="Identifies the purchase.")
    provider = serializers.CharField(
        source="payee.provider_id", help_text="The provider whose credit is bought."
    )
    payee = serializers.CharField(source="payee_id", help_text="Who is paid, as the list names it.")
    method = serializers.ChoiceField(
        PurchaseMethod.choices,
        source="payee.method",
        help_text="Who pays: a `rail`, a `person`, or the `vendor` that reloads by itself.",
    )
    is_play_money = serializers.BooleanField(
        source="payee.is_play_money", help_text="Whether no real money moves."
    )
    amount = amount_field("What the purchase costs, without fees of the rail.")
    currency = serializers.CharField(help_text="The currency of the amount.")
    status = serializers.ChoiceField(
        PurchaseStatus.choices,
        help_text="The status: open until it is `settled` and `credited`, or `refused`, "
        "`declined`, `expired` or `cancelled`.",
    )
    is_automatic = serializers.BooleanField(help_text="Whether Butler proposed it by itself.")
    reason = serializers.CharField(help_text="Why it is bought.")
    proposed_by = serializers.CharField(help_text="The person or job that proposed it.")
    proposed_at = serializers.DateTimeField(help_text="The time at which it was proposed.")
    settled_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which it was known to be paid, or null."
    )
    credited_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which it was known to be credit, or null."
    )
    reversed_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which the money was known to be back, or null."
    )
    ended_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which it ended unpaid, or null."
    )


class PurchaseListView(TreasuryView):
    """`/api/v1/treasury/purchases`."""

    class Query(pagination.PageQuery):
        """Which purchases to list."""

        status = serializers.ChoiceField(
            PurchaseStatus.choices,
            default="",
            help_text="Only purchases with this status are returned.",
        )
        provider = serializers.RegexField(
            NAME, default="", help_text="Only purchases of this provider's credit are returned."
        )

    @extend_schema(
        operation_id="listPurchases",
        summary="List purchases of credit",
        description="Requires the scope `finance`. Returns the purchases of prepaid credit, newest "
        "first.",
        parameters=[Query],
        responses=pagination.page_serializer(PurchaseOutput),
        examples=[
            OpenApiExample(
                "A purchase that is credit",
                {
                    "results": [
                        {
                            "id": 7,
                            "provider": "openai",
                            "payee": "openai",
                            "method": "rail",
                            "is_play_money": True,
                            "amount": "40.000000000",
                            "currency": "USD",
                            "status": "credited",
                            "is_automatic": True,
                            "reason": "The credit is below its threshold.",
                            "proposed_by": "job:purchases",
                            "proposed_at": "2026-11-02T08:00:00Z",
                            "settled_at": "2026-11-02T08:00:02Z",
                            "credited_at": "2026-11-02T08:00:03Z",
                            "reversed_at": None,
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
        """Return a page of purchases."""
        values = query(request, self.Query)
        limit, after = position(values)
        rows = treasury.purchase_page(**values, after=after, most=limit + 1)
        return Response(pagination.page(rows, limit=limit, output=PurchaseOutput, at=number_of))


class LeftOutput(serializers.Serializer):
    """The prepaid credit of a provider, and how long it lasts at this pace."""

    account = serializers.CharField(help_text="The account of the credit, such as `credit:openai`.")
    provider = serializers.CharField(help_text="The provider that sold the credit.")
    currency = serializers.CharField(help_text="The currency of the credit.")
    balance = amount_field(
        "What is left, with credit that expires; below zero if more was consumed."
    )
    per_day = amount_field("What is consumed in a day, by the last seven days.")
    days = serializers.DecimalField(
        max_digits=30,
        decimal_places=1,
        allow_null=True,
        help_text="For how many days it lasts at the learned pace, or at that of the last seven "
        "days while too little is known. Null if nothing is consumed.",
    )
    days_least = serializers.DecimalField(
        max_digits=30,
        decimal_places=1,
        allow_null=True,
        help_text="The low end of the interval of the days, which holds four times in five; while "
        "too little is known, the days at the pace of the dearest day of seven. Can be null.",
    )
    days_most = serializers.DecimalField(
        max_digits=30,
        decimal_places=1,
        allow_null=True,
        help_text="The high end of the interval of the days; while too little is known, the days "
        "at the pace of the cheapest day of seven. Null if it may last longer than a year.",
    )


class CreditView(TreasuryView):
    """`/api/v1/treasury/credit`."""

    class Output(serializers.Serializer):
        """The credit of all providers."""

        results = LeftOutput(many=True, help_text="The credit of each provider.")

    @extend_schema(
        operation_id="credit",
        summary="Get the credit with each provider",
        description="Requires the scope `finance`. Returns the prepaid credit of each provider and "
        "how long it lasts.",
        responses=Output,
        examples=[
            OpenApiExample(
                "Credit for six days",
                {
                    "results": [
                        {
                            "account": "credit:openai",
                            "provider": "openai",
                            "currency": "USD",
                            "balance": "120.500000000",
                            "per_day": "20.083333333",
                            "days": "6.0",
                            "days_least": "4.2",
                            "days_most": "9.9",
                        }
                    ]
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """Return the credit of each provider."""
        return Response(
            self.Output({"results": treasury.credit_list(now=database_clock.now())}).data
        )


def position(values: dict) -> tuple[int, int | None]:
    """How many rows a page has, and after which it starts; both are taken from the values."""
    return values.pop("limit"), pagination.cursor_value(values.pop("cursor", None), int)


def number_of(row: Model) -> tuple[int]:
    return (row.pk,)
