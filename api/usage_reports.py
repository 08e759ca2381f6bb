"""Usage reports: what a call outside the gateway used."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api.allocation_actions import AllocationActionView
from api.allocations import AllocationOutput
from api.base import created_response, serialize
from api.fields import Strict, String, Tokens, Usd
from api.query_parameters import body, idempotency_key
from common import database_clock
from keys import services as keys
from keys.books.queries.allocations import allocation_with_key, own_allocation_id


class UsageReportView(AllocationActionView):
    """`/api/v1/allocations/{session_id}/usage`."""

    class Input(Strict):
        """The tokens of one call: input and output, or only their total."""

        also = {
            "oneOf": [
                {"required": ["input_tokens"]},
                {"required": ["output_tokens"], "not": {"required": ["input_tokens"]}},
                {"required": ["total_tokens"]},
            ]
        }

        input_tokens = Tokens(required=False, help_text=texts.INPUT_TOKENS)
        output_tokens = Tokens(required=False, help_text=texts.OUTPUT_TOKENS)
        cached_tokens = Tokens(required=False, help_text=texts.CACHED_TOKENS)
        cache_write_tokens = Tokens(required=False, help_text=texts.CACHE_WRITE_TOKENS)
        cache_write_long_tokens = Tokens(required=False, help_text=texts.CACHE_WRITE_LONG_TOKENS)
        audio_input_tokens = Tokens(required=False, help_text=texts.AUDIO_INPUT_TOKENS)
        image_input_tokens = Tokens(required=False, help_text=texts.IMAGE_INPUT_TOKENS)
        reasoning_tokens = Tokens(required=False, help_text=texts.REASONING_TOKENS)
        audio_output_tokens = Tokens(required=False, help_text=texts.AUDIO_OUTPUT_TOKENS)
        image_output_tokens = Tokens(required=False, help_text=texts.IMAGE_OUTPUT_TOKENS)
        web_searches = serializers.IntegerField(
            required=False, min_value=0, max_value=1_000_000, help_text=texts.WEB_SEARCHES
        )
        total_tokens = Tokens(
            required=False,
            help_text="The total number of tokens, if only that is known. It cannot be combined "
            "with other counts and is priced at the highest rate of the model.",
        )
        model = String(
            required=False,
            max_length=200,
            help_text="The model that was called, if it is not the model of the API key.",
        )

        def validate(self, values: dict) -> dict:
            """Check that either the parts or the total are given."""
            parts = {name for name in values if name.endswith("_tokens")} - {"total_tokens"}
            if ("total_tokens" in values) == bool(parts & {"input_tokens", "output_tokens"}):
                raise serializers.ValidationError(
                    "Send `input_tokens` and `output_tokens`, or only `total_tokens`."
                )
            if "total_tokens" in values and parts:
                raise serializers.ValidationError(
                    "`total_tokens` cannot be combined with other counts."
                )
            return values

    class Output(serializers.Serializer):
        """The recorded usage, and the allocation after it."""

        charge_id = serializers.IntegerField(
            source="id", help_text="Identifies the charge that records the call."
        )
        key_id = serializers.CharField(
            source="api_key_id", help_text="The API key that the call was charged to."
        )
        model = serializers.CharField(help_text=texts.MODEL)
        input_tokens = serializers.IntegerField(help_text=texts.INPUT_TOKENS)
        cached_tokens = serializers.IntegerField(help_text=texts.CACHED_TOKENS)
        cache_write_tokens = serializers.IntegerField(help_text=texts.CACHE_WRITE_TOKENS)
        cache_write_long_tokens = serializers.IntegerField(help_text=texts.CACHE_WRITE_LONG_TOKENS)
        audio_input_tokens = serializers.IntegerField(help_text=texts.AUDIO_INPUT_TOKENS)
        image_input_tokens = serializers.IntegerField(help_text=texts.IMAGE_INPUT_TOKENS)
        output_tokens = serializers.IntegerField(help_text=texts.OUTPUT_TOKENS)
        reasoning_tokens = serializers.IntegerField(help_text=texts.REASONING_TOKENS)
        audio_output_tokens = serializers.IntegerField(help_text=texts.AUDIO_OUTPUT_TOKENS)
        image_output_tokens = serializers.IntegerField(help_text=texts.IMAGE_OUTPUT_TOKENS)
        web_searches = serializers.IntegerField(help_text=texts.WEB_SEARCHES)
        tokens = serializers.IntegerField(help_text=texts.TOKENS)
        cost = Usd(help_text=texts.COST)
        overrun = serializers.BooleanField(
            help_text="True when the call used more tokens than were left. It is recorded in full."
        )
        recorded_at = serializers.DateTimeField(
            source="settled_at", help_text="The time at which the usage was recorded."
        )
        allocation = AllocationOutput(help_text="The allocation after the call.")

    @extend_schema(
        operation_id="reportUsage",
        summary="Report the usage of a call",
        description="Requires the scope `spend`, or the token of this session. Records what a call "
        "outside the gateway used. It may be somewhat more than was left; then the allocation "
        "ends. Reports of more than that, reports later than some minutes after the end, and "
        "reports of sessions that use the gateway also require the scope `operate`. A repeated "
        "report with the same `Idempotency-Key` returns the same charge with status 200 and the "
        "header `Idempotent-Replay: true`.",
        request=Input,
        responses={201: Output, 200: Output},
        examples=[
            OpenApiExample("A call", {"input_tokens": 800, "output_tokens": 200}, request_only=True)
        ],
    )
    def post(self, request: Request, session_id: str) -> Response:
        """Record the usage and answer its charge."""
        values = body(request, self.Input)
        allocation_id = own_allocation_id(session_id, bearer=self.bearer)
        charge, created = keys.report_usage(
            allocation_id=allocation_id,
            model=values.pop("model", ""),
            usage=keys.Usage(total=values.pop("total_tokens", None), **values),
            idempotency_key=idempotency_key(request),
            scopes=self.bearer.scopes,
            now=database_clock.now(),
        )
        charge.allocation = allocation_with_key(allocation_id)
        return created_response(serialize(self.Output, charge), created=created)
