"""API keys: list them, report that a provider refused one, hide one. Never a secret."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api import pagination
from api.authentication import OPERATE
from api.base import ApiView, serialize
from api.fields import Integer, Strict, String, Usd
from api.query_parameters import body, idempotency_key, query
from common import database_clock
from keys import services as keys
from keys.models import ApiKey
from keys.supply.queries.api_keys import KeyFilter, key_page

# An operator who reports a refusal has judged it.
_FINDINGS = {
    401: keys.KeyFinding.INVALID,
    403: keys.KeyFinding.INVALID,
    429: keys.KeyFinding.RATE_LIMITED,
}


class ApiKeyListView(ApiView):
    """`/api/v1/keys`."""

    class Query(pagination.PageQuery):
        """Which API keys to list."""

        available = serializers.BooleanField(
            required=False,
            help_text="Whether to return only the keys that can take an allocation now (true), or "
            "only the others (false).",
        )
        provider = serializers.CharField(
            required=False, max_length=64, help_text="Only keys of this provider are returned."
        )
        model = serializers.CharField(
            required=False,
            max_length=200,
            help_text="Only keys that serve this model are returned.",
        )

    class Output(serializers.Serializer):
        """An API key and its free capacity. Secrets are never returned."""

        key_id = serializers.CharField(source="api_key.slug", help_text=texts.KEY_ID)
        provider = serializers.CharField(source="api_key.provider_id", help_text=texts.PROVIDER)
        model = serializers.CharField(source="api_key.model", help_text=texts.MODEL)
        serves = serializers.ListField(
            source="api_key.serves",
            child=serializers.CharField(),
            help_text="The models of its provider that the key serves besides `model`: names, or "
            "patterns such as `gpt-4o*` or `*` for all of them.",
        )
        status = serializers.ChoiceField(
            [*ApiKey.Status.choices, ("frozen", "frozen")],
            help_text="The status of the key now. An exhausted key whose limits have room again "
            "is `active`, and one that is frozen, or whose provider is, is `frozen`.",
        )
        status_reason = serializers.CharField(
            source="api_key.status_reason",
            help_text="Why the key has this status, or an empty string.",
        )
        priority = serializers.IntegerField(
            source="api_key.priority",
            help_text="The priority of the key: keys with a higher number are chosen first.",
        )
        available = serializers.BooleanField(
            help_text="True when the key can take an allocation now."
        )
        capacity = serializers.IntegerField(
            allow_null=True,
            help_text="The number of tokens that are free under the tightest limit of the key, or "
            "null if it has no limit.",
        )
        input_cost = Usd(
            source="api_key.price.input",
            help_text="The price of 1,000 input tokens in US dollars.",
        )
        output_cost = Usd(
            source="api_key.price.output",
            help_text="The price of 1,000 output tokens in US dollars.",
        )

    @extend_schema(
        operation_id="listKeys",
        summary="List API keys",
        description="Requires the scope `read`. Returns the API keys in the order of their names, "
        "each with its free capacity and price. Secrets are never returned.",
        parameters=[Query],
        responses=pagination.page_serializer(Output),
    )
    def get(self, request: Request) -> Response:
        """Return a page of API keys."""
        values = query(request, self.Query)
        limit = values.pop("limit")
        after = pagination.cursor_value(values.pop("cursor", None), str)
        filters = KeyFilter(**values, after=after)
        rows = key_page(filters, most=limit + 1, now=database_clock.now())
        return Response(
            pagination.page(
                rows, limit=limit, output=self.Output, at=lambda row: (row.api_key.slug,)
            )
        )


class KeyRefusalView(ApiView):
    """`/api/v1/keys/{key_id}/refusal`."""

    scopes = {"POST": (OPERATE,)}
    problems = {"POST": (404,)}

    class Input(Strict):
        """The answer of the provider."""

        status = serializers.ChoiceField(
            list(_FINDINGS), help_text="The HTTP status with which the provider refused the key."
        )
        retry_after_seconds = Integer(
            required=False,
            min_value=1,
            max_value=86_400,
            help_text="The seconds in the `Retry-After` header of the provider, if it sent one.",
        )

    class Output(serializers.Serializer):
        """The API key after the report."""

        key_id = serializers.CharField(source="slug", help_text=texts.KEY_ID)
        status = serializers.ChoiceField(
            ApiKey.Status.choices,
            help_text="The status of the key after the report: `broken` or `cooling`. A report of "
            "429 changes nothing of a key that is inactive, suspended or broken.",
        )
        status_reason = serializers.CharField(help_text="Why the key has this status.")
        cooling_until = serializers.DateTimeField(
            allow_null=True,
            help_text="The time at which a cooling or suspended key is used again, or null for "
            "another key.",
        )

    @extend_schema(
        operation_id="refuseKey",
        summary="Report that a provider refused an API key",
        description="Requires the scope `operate`. The statuses 401 and 403 mark the key as "
        "broken, 429 lets it cool for a while. Its active allocations rotate to other keys. A "
        "repeated report sets the same status again.",
        request=Input,
        responses=Output,
        examples=[
            OpenApiExample("Too many", {"status": 429, "retry_after_seconds": 9}, request_only=True)
        ],
    )
    def post(self, request: Request, key_id: str) -> Response:
        """Record the refusal and return the key."""
        values = body(request, self.Input)
        idempotency_key(request)
        refusal = keys.KeyRefusal(
            finding=_FINDINGS[values["status"]],
            reason=f"the provider answered {values['status']}",
            wait_seconds=values.get("retry_after_seconds"),
        )
        api_key = keys.key_refused(
            key_id, refusal=refusal, actor=self.actor, now=database_clock.now()
        )
        return Response(serialize(self.Output, api_key))


class KeyPlaceOutput(serializers.Serializer):
    """An API key, and whether lists have it."""

    key_id = serializers.CharField(source="slug", help_text=texts.KEY_ID)
    status = serializers.ChoiceField(
        ApiKey.Status.choices, help_text="The status of the key: a hidden one is `inactive`."
    )
    hidden_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which the key was hidden, or null if it is listed."
    )


class _KeyReason(Strict):
    reason = String(max_length=300, help_text="Why the key is hidden or shown; people read it.")


class KeyHidingView(ApiView):
    """`/api/v1/keys/{key_id}/hiding`."""

    scopes = {"POST": (OPERATE,)}
    problems = {"POST": (404, 409)}

    class Input(_KeyReason):
        """Why the key is hidden."""

    @extend_schema(
        operation_id="hideKey",
        summary="Hide an API key",
        description="Requires the scope `operate`. Takes a key that was never lent, such as a "
        "mistyped one, out of lists and choices, and pauses it. Its history stays. A repeated "
        "request changes nothing.",
        request=Input,
        responses=KeyPlaceOutput,
        examples=[
            OpenApiExample("Mistyped", {"reason": "The name was mistyped."}, request_only=True)
        ],
    )
    def post(self, request: Request, key_id: str) -> Response:
        """Hide the key and return it."""
        values = body(request, self.Input)
        idempotency_key(request)
        api_key = keys.hide_key(key_id, **values, actor=self.actor, now=database_clock.now())
        return Response(serialize(KeyPlaceOutput, api_key))


class KeyShowingView(ApiView):
    """`/api/v1/keys/{key_id}/showing`."""

    scopes = {"POST": (OPERATE,)}
    problems = {"POST": (404,)}

    class Input(_KeyReason):
        """Why the key is listed again."""

    @extend_schema(
        operation_id="showKey",
        summary="Show a hidden API key",
        description="Requires the scope `operate`. Lists a hidden key again; it stays paused. A "
        "repeated request changes nothing.",
        request=Input,
        responses=KeyPlaceOutput,
        examples=[OpenApiExample("Needed", {"reason": "The key is needed."}, request_only=True)],
    )
    def post(self, request: Request, key_id: str) -> Response:
        """Show the key and return it."""
        values = body(request, self.Input)
        idempotency_key(request)
        api_key = keys.show_key(key_id, **values, actor=self.actor, now=database_clock.now())
        return Response(serialize(KeyPlaceOutput, api_key))
