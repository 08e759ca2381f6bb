"""Exchange rates, to read."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.query_parameters import query
from api.treasury import TreasuryView, number_of, position
from treasury import queries as treasury
from treasury.models import RateSource

_CURRENCY = r"^[A-Z]{3,5}$"


class ExchangeRateOutput(serializers.Serializer):
    """How much of one currency another one is on a day. It is never changed, only corrected."""

    id = serializers.IntegerField(help_text="Identifies the rate.")
    base = serializers.CharField(help_text="The currency of which one is changed, such as `EUR`.")
    quote = serializers.CharField(help_text="The currency that it is changed to, such as `USD`.")
    day = serializers.DateField(help_text="The day of the rate.")
    rate = serializers.DecimalField(
        max_digits=20, decimal_places=9, help_text="How much of the second currency one is."
    )
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field of that name
        RateSource.choices,
        help_text="Who says so: `ecb`, the European Central Bank, or `own`, a person.",
    )
    reason = serializers.CharField(help_text="Why it was entered, or an empty string.")
    corrects = serializers.IntegerField(
        source="corrects_id", allow_null=True, help_text="The rate that it corrects, or null."
    )
    recorded_by = serializers.CharField(help_text="The person or command that recorded it.")
    recorded_at = serializers.DateTimeField(help_text="The time at which it was recorded.")


class ExchangeRateListView(TreasuryView):
    """`/api/v1/treasury/exchange-rates`."""

    class Query(pagination.PageQuery):
        """Which rates to list."""

        base = serializers.RegexField(
            _CURRENCY, default="", help_text="Only rates of this first currency are returned."
        )
        quote = serializers.RegexField(
            _CURRENCY, default="", help_text="Only rates of this second currency are returned."
        )
        since = serializers.DateField(
            required=False, help_text="Only rates of this day or later are returned."
        )
        until = serializers.DateField(
            required=False, help_text="Only rates of this day or earlier are returned."
        )

    @extend_schema(
        operation_id="listExchangeRates",
        summary="List exchange rates",
        description="Requires the scope `finance`. Returns the exchange rates that were recorded, "
        "newest first. One that a newer rate corrects is among them.",
        parameters=[Query],
        responses=pagination.page_serializer(ExchangeRateOutput),
        examples=[
            OpenApiExample(
                "A reference rate of the European Central Bank",
                {
                    "results": [
                        {
                            "id": 12,
                            "base": "EUR",
                            "quote": "USD",
                            "day": "2026-11-02",
                            "rate": "1.081200000",
                            "source": "ecb",
                            "reason": "",
                            "corrects": None,
                            "recorded_by": "cli:root",
                            "recorded_at": "2026-11-02T16:30:00Z",
                        }
                    ],
                    "next_cursor": None,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """Return a page of rates."""
        values = query(request, self.Query)
        limit, after = position(values)
        rows = treasury.rate_page(**values, after=after, most=limit + 1)
        return Response(pagination.page(rows, limit=limit, output=ExchangeRateOutput, at=number_of))
