"""Charges: what each call cost."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api import pagination
from api.base import ApiView, serialize
from api.fields import NAME, Usd
from api.query_parameters import query
from keys.books.queries.charges import ChargeFilter, charges, visible_charge
from keys.models import Charge


class AdjustmentOutput(serializers.Serializer):
    """A correction of a settled charge: the differences to its figures, which can be negative."""

    id = serializers.IntegerField(help_text="Identifies the adjustment.")
    input_tokens = serializers.IntegerField(help_text="The difference in input tokens.")
    cached_tokens = serializers.IntegerField(help_text="The difference in cached input tokens.")
    cache_write_tokens = serializers.IntegerField(
        help_text="The difference in tokens written to a cache."
    )
    cache_write_long_tokens = serializers.IntegerField(
        help_text="The difference in tokens written to a cache for an hour."
    )
    audio_input_tokens = serializers.IntegerField(
        help_text="The difference in input tokens of audio."
    )
    image_input_tokens = serializers.IntegerField(
        help_text="The difference in input tokens of images."
    )
    output_tokens = serializers.IntegerField(help_text="The difference in output tokens.")
    reasoning_tokens = serializers.IntegerField(help_text="The difference in reasoning tokens.")
    audio_output_tokens = serializers.IntegerField(
        help_text="The difference in output tokens of audio."
    )
    image_output_tokens = serializers.IntegerField(
        help_text="The difference in output tokens of images."
    )
    web_searches = serializers.IntegerField(help_text="The difference in web searches.")
    tokens = serializers.IntegerField(help_text="The difference in tokens.")
    cost = Usd(help_text="The difference in cost, in US dollars.")
    reason = serializers.CharField(help_text="Why the charge was adjusted.")
    created_at = serializers.DateTimeField(help_text="The time of the adjustment.")


class ChargeOutput(serializers.Serializer):
    """The cost of one call: held before the call and settled after it.

    Until the charge is settled, the tokens and the cost of the call are 0. An adjustment does not
    change them: the charge counts for its own figures plus those of its `adjustments`.
    """

    id = serializers.IntegerField(
        help_text="Identifies the charge. The gateway returns it in the header "
        "`x-butler-charge-id`."
    )
    status = serializers.ChoiceField(
        Charge.Status.choices,
        help_text="The status of the charge: `held` while the call is running, then `settled`, "
        "`released` (nothing was used) or `expired` (the outcome was not reported in time).",
    )
    basis = serializers.ChoiceField(
        Charge.Basis.choices,
        help_text="Where the token counts come from: `reported` by the agent, by the `provider`, "
        "`estimated` because the provider reported none, or `imported` from the records of another "
        "system.",
    )
    route = serializers.CharField(
        help_text="The route of the gateway that was called, or an empty string if the agent "
        "reported the call."
    )
    model = serializers.CharField(help_text=texts.MODEL)
    asked_model = serializers.CharField(
        help_text="The model that the call named, if another model served it, or an empty string."
    )
    key_id = serializers.CharField(
        source="api_key_id", help_text="The API key that the call was charged to."
    )
    agent = serializers.CharField(source="allocation.agent_id", help_text=texts.AGENT)
    cost_centre = serializers.CharField(
        source="allocation.cost_centre_id", help_text=texts.COST_CENTRE
    )
    session_id = serializers.CharField(source="allocation.session_id", help_text=texts.SESSION_ID)
    held_tokens = serializers.IntegerField(
        help_text="The number of tokens held before the call: the most that it could use."
    )
    held_cost = Usd(help_text="The most that the call could cost, in US dollars.")
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
    search_kind = serializers.CharField(
        help_text="How the provider searched, if that has a price of its own: the size of the "
        "search context, or `preview`. Otherwise an empty string."
    )
    tokens = serializers.IntegerField(help_text=texts.TOKENS)
    cost = Usd(help_text=texts.COST)
    service_tier = serializers.CharField(
        help_text="The service tier that the provider says it served the call as, for example "
        "`standard`, `flex` or `priority`, or an empty string. The cost is that of this tier."
    )
    provider_cost = Usd(
        allow_null=True,
        help_text="The cost that the provider reported in US dollars, or null if it reported none.",
    )
    provider_request_id = serializers.CharField(
        help_text="The id that the provider gave the call, or an empty string."
    )
    overrun = serializers.BooleanField(
        help_text="True when the call used more tokens than were held."
    )
    idempotency_key = serializers.CharField(
        help_text="The idempotency key of the client, or the request id of Butler without one."
    )
    created_at = serializers.DateTimeField(help_text="The time at which the tokens were held.")
    expires_at = serializers.DateTimeField(
        help_text="The time at which the hold ends if the call is not settled before."
    )
    settled_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which the call was settled, or null before it."
    )
    adjustments = AdjustmentOutput(
        many=True,
        help_text="The corrections of the charge, newest first. `GET /usage` includes them.",
    )


class ChargeListView(ApiView):
    """`/api/v1/charges`."""

    for_sessions = True

    class Query(pagination.PageQuery):
        """Which charges to list."""

        session_id = serializers.RegexField(
            NAME, required=False, help_text="Only charges of this session are returned."
        )
        key_id = serializers.RegexField(
            NAME, required=False, help_text="Only charges to this API key are returned."
        )
        status = serializers.ChoiceField(
            Charge.Status.choices,
            required=False,
            help_text="Only charges with this status are returned.",
        )
        since = serializers.DateTimeField(
            required=False, help_text="Only charges created at this time or later are returned."
        )
        until = serializers.DateTimeField(
            required=False, help_text="Only charges created before this time are returned."
        )

    @extend_schema(
        operation_id="listCharges",
        summary="List charges",
        description="Requires the scope `read`. Returns what each call of the agent cost, newest "
        "first. With the scope `operate`, returns the charges of every agent. A session token "
        "returns the charges of its own session.",
        parameters=[Query],
        responses=pagination.page_serializer(ChargeOutput),
    )
    def get(self, request: Request) -> Response:
        """Return a page of charges."""
        values = query(request, self.Query)
        limit = values.pop("limit")
        after = pagination.cursor_value(values.pop("cursor", None), int)
        filters = ChargeFilter(after=after, **values)
        rows = charges(filters, bearer=self.bearer, most=limit + 1)
        return Response(
            pagination.page(rows, limit=limit, output=ChargeOutput, at=lambda row: (row.id,))
        )


class ChargeView(ApiView):
    """`/api/v1/charges/{charge_id}`."""

    for_sessions = True
    problems = {"GET": (404,)}

    @extend_schema(
        operation_id="charge",
        summary="Get a charge",
        description="Requires the scope `read`, or the token of the charge's session.",
        responses=ChargeOutput,
    )
    def get(self, request: Request, charge_id: int) -> Response:
        """Return the charge."""
        return Response(serialize(ChargeOutput, visible_charge(charge_id, bearer=self.bearer)))
