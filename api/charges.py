"""Charges: every figure down to the call that caused it."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.base import ApiView, serialize
from api.fields import NAME, Usd
from api.query_parameters import query
from keys.books.queries.charges import ChargeFilter, charges, visible_charge
from keys.models import Charge


class ChargeOutput(serializers.Serializer):
    """One call's cost: held before it, settled after it. Until it is settled, what it used is 0."""

    id = serializers.IntegerField(help_text="`x-butler-charge-id` of the gateway's answer.")
    status = serializers.ChoiceField(Charge.Status.choices)
    basis = serializers.ChoiceField(Charge.Basis.choices, help_text="Who said what it used.")
    route = serializers.CharField(help_text="Of the gateway; empty when an agent reported it.")
    model = serializers.CharField()
    key_id = serializers.CharField(source="api_key_id")
    agent = serializers.CharField(source="allocation.agent_id")
    cost_centre = serializers.CharField(source="allocation.cost_centre_id")
    session_id = serializers.CharField(source="allocation.session_id")
    held_tokens = serializers.IntegerField(help_text="The most it could use.")
    held_cost = Usd(help_text="USD, the most it could cost.")
    input_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField(help_text="Part of `input_tokens`.")
    cache_write_tokens = serializers.IntegerField(help_text="Part of `input_tokens`.")
    cache_write_long_tokens = serializers.IntegerField(help_text="Part of `cache_write_tokens`.")
    audio_input_tokens = serializers.IntegerField(help_text="Part of `input_tokens`.")
    output_tokens = serializers.IntegerField()
    reasoning_tokens = serializers.IntegerField(help_text="Part of `output_tokens`.")
    audio_output_tokens = serializers.IntegerField(help_text="Part of `output_tokens`.")
    tokens = serializers.IntegerField(help_text="Input and output, or the total that was said.")
    cost = Usd(help_text="USD, by Butler's price book.")
    provider_cost = Usd(allow_null=True, help_text="USD, if the provider said it.")
    provider_request_id = serializers.CharField(help_text="What the provider calls the call.")
    overrun = serializers.BooleanField(help_text="More was used than was held.")
    idempotency_key = serializers.CharField(help_text="The client's, or Butler's own request id.")
    created_at = serializers.DateTimeField(help_text="When it was held.")
    expires_at = serializers.DateTimeField(help_text="When the hold ends if nobody settles it.")
    settled_at = serializers.DateTimeField(allow_null=True)


class ChargeListView(ApiView):
    """`/api/v1/charges`."""

    for_sessions = True

    class Query(pagination.PageQuery):
        """Filters of the list."""

        session_id = serializers.RegexField(NAME, required=False)
        key_id = serializers.RegexField(NAME, required=False)
        status = serializers.ChoiceField(Charge.Status.choices, required=False)
        since = serializers.DateTimeField(required=False, help_text="Held at or after.")
        until = serializers.DateTimeField(required=False, help_text="Held before.")

    @extend_schema(
        operation_id="listCharges",
        summary="What each of your calls cost, the newest first",
        description="Needs the scope read; with operate, those of every agent. A session token "
        "sees its own session's.",
        parameters=[Query],
        responses=pagination.page_serializer(ChargeOutput),
    )
    def get(self, request: Request) -> Response:
        """List."""
        asked = query(request, self.Query)
        limit = asked.pop("limit")
        after = pagination.position(asked.pop("cursor", None), int)
        which = ChargeFilter(after=after and after[0], **asked)
        rows = charges(which, bearer=request.auth, most=limit + 1)
        return Response(
            pagination.page(rows, limit=limit, output=ChargeOutput, at=lambda row: (row.id,))
        )


class ChargeView(ApiView):
    """`/api/v1/charges/{charge_id}`."""

    for_sessions = True
    problems = {"GET": (404,)}

    @extend_schema(operation_id="charge", summary="One charge", responses=ChargeOutput)
    def get(self, request: Request, charge_id: int) -> Response:
        """Show."""
        return Response(serialize(ChargeOutput, visible_charge(charge_id, bearer=request.auth)))
