"""API keys, as agents may see them: never a secret."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.authentication import OPERATE
from api.base import ApiView, serialize
from api.fields import Integer, Strict, Usd
from api.query_parameters import body, idempotency_key, query
from keys import services as keys
from keys.models import ApiKey
from keys.supply.queries.api_keys import KeyFilter, listed_keys


class ApiKeyListView(ApiView):
    """`/api/v1/keys`."""

    class Query(pagination.PageQuery):
        """Filters of the list."""

        available = serializers.BooleanField(
            required=False, help_text="Whether it is a candidate for allocations now."
        )
        provider = serializers.CharField(required=False, max_length=64)
        model = serializers.CharField(required=False, max_length=200)

    class Output(serializers.Serializer):
        """A key and what is free on it."""

        key_id = serializers.CharField(source="api_key.slug")
        provider = serializers.CharField(source="api_key.provider_id")
        model = serializers.CharField(source="api_key.model")
        status = serializers.ChoiceField(
            ApiKey.Status.choices, help_text="As of now: an exhausted key with room is active."
        )
        status_reason = serializers.CharField(source="api_key.status_reason")
        priority = serializers.IntegerField(source="api_key.priority")
        available = serializers.BooleanField()
        capacity = serializers.IntegerField(
            allow_null=True, help_text="Tokens free in its tightest window; null is unlimited."
        )
        input_cost = Usd(source="api_key.price.input", help_text="USD per 1,000 tokens.")
        output_cost = Usd(source="api_key.price.output", help_text="USD per 1,000 tokens.")

    @extend_schema(
        operation_id="listKeys",
        summary="API keys by name, with what is free on each",
        description="Needs the scope read.",
        parameters=[Query],
        responses=pagination.page_serializer(Output),
    )
    def get(self, request: Request) -> Response:
        """List."""
        asked = query(request, self.Query)
        limit = asked.pop("limit")
        after = pagination.position(asked.pop("cursor", None), str)
        which = KeyFilter(**asked, after=after and after[0])
        rows = listed_keys(which, most=limit + 1, now=timezone.now())
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
        """What the provider answered."""

        status = serializers.ChoiceField([401, 403, 429])
        retry_after_seconds = Integer(
            required=False, min_value=1, max_value=86_400, help_text="From its `Retry-After`."
        )

    class Output(serializers.Serializer):
        """The key after it."""

        key_id = serializers.CharField(source="slug")
        status = serializers.ChoiceField(ApiKey.Status.choices)
        status_reason = serializers.CharField()
        cooling_until = serializers.DateTimeField(allow_null=True)

    @extend_schema(
        operation_id="refuseKey",
        summary="The provider refused this key",
        description="Needs the scope operate. 401 and 403 break the key, 429 lets it cool; its "
        "live allocations rotate away. Idempotent by state: a repeat sets the same status again.",
        request=Input,
        responses=Output,
        examples=[
            OpenApiExample("Too many", {"status": 429, "retry_after_seconds": 9}, request_only=True)
        ],
    )
    def post(self, request: Request, key_id: str) -> Response:
        """Refuse."""
        asked = body(request, self.Input)
        idempotency_key(request)
        api_key = keys.key_refused(
            key_id,
            http_status=asked["status"],
            retry_after_seconds=asked.get("retry_after_seconds"),
            who=request.auth.who,
            now=timezone.now(),
        )
        return Response(serialize(self.Output, api_key))
