"""The OpenAPI 3.1 schema: what drf-spectacular cannot find out by itself.

Every operation has its scopes, its `Idempotency-Key`, and every problem that it may answer.
"""

from typing import TYPE_CHECKING, Any, Literal, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers

from api.fields import Strict, component_name

if TYPE_CHECKING:
    from api.base import ApiView

PROBLEM_JSON = "application/problem+json"
# Any operation may answer these.
_ALWAYS = (401, 403, 422, 429, 500, 503)
_WITH_BODY = (400, 413, 415)
_DESCRIPTIONS = {
    400: "The request body cannot be parsed.",
    401: "The request has no valid token.",
    402: "The budget is not sufficient. The problem says which limits lack room, which "
    "alternatives exist and when the limits reset.",
    403: "The token lacks the required scope or belongs to another session, or the agent is frozen "
    "or switched off.",
    404: "The resource does not exist, or belongs to another agent.",
    409: "The status of the resource, or an earlier use of the idempotency key, does not allow the "
    "request.",
    413: "The request body is too large.",
    415: "The media type of the request body is not supported.",
    422: "Some values in the request are invalid. The member `errors` says which ones.",
    429: "The token was used for too many requests. Wait as long as `Retry-After` says.",
    500: "An unexpected error occurred. It has been logged.",
    503: "The service is busy. Retry after the time in `Retry-After`.",
}
_CODES = {
    400: "malformed",
    401: "not_authenticated",
    402: "limit_reached",
    403: "scope_missing",
    404: "allocation_not_found",
    409: "allocation_closed",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "rate_limited",
    500: "internal_error",
    503: "busy",
}
_PATH_PARAMETERS = {
    "agent": "The name of the agent.",
    "cost_centre": "The name of the cost centre.",
    "alert_id": "The id of the alert.",
    "approval_id": "The id of the approval.",
    "freeze_id": "The id of the freeze.",
    "charge_id": "The id of the charge.",
    "key_id": "The id of the API key.",
    "payment_id": "The id of the payment.",
    "purchase_id": "The id of the purchase.",
    "receipt_id": "The id of the receipt.",
    "session_id": "The session id of the allocation.",
    "task_id": "The id of the task.",
}
_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "description": "A value that identifies the request, for example a UUID. A repeated request "
    "with the same value is carried out only once.",
}


class InvalidValue(serializers.Serializer):
    """A value in the request that is invalid."""

    pointer = serializers.CharField(
        required=False,
        help_text="The JSON pointer to the value in the body, for example `#/tokens`.",
    )
    parameter = serializers.CharField(
        required=False, help_text="The name of the query parameter or header."
    )
    detail = serializers.CharField(help_text="Why the value is invalid, and what is expected.")


class Problem(serializers.Serializer):
    """A refusal (RFC 9457). Facts about the refusal stand beside these members."""

    type = serializers.URLField(help_text="The address of the page that explains the code.")
    title = serializers.CharField(help_text="The code in words.")
    status = serializers.IntegerField(help_text="The HTTP status of the response.")
    detail = serializers.CharField(help_text="What happened and what to do, for people to read.")
    code = serializers.CharField(help_text="The stable code of the refusal, for programs to read.")
    # A field, which the metaclass takes off the class.
    errors = InvalidValue(  # type: ignore[assignment]
        many=True, required=False, help_text="The invalid values, with the code `invalid_request`."
    )


class Schema(AutoSchema):
    """Adds to each operation what the views do not repeat."""

    @property
    def _api_view(self) -> "ApiView":
        return cast("ApiView", self.view)

    def get_serializer_name(self, serializer: serializers.Serializer, direction: str) -> str:
        """`RotationView.Input` is `RotationInput`: nested serializers need whole names."""
        return component_name(type(serializer))

    def _map_basic_serializer(
        self, serializer: serializers.Serializer, direction: str
    ) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)
        if isinstance(serializer, Strict):
            schema |= {"additionalProperties": False} | serializer.also
        return schema

    def _get_parameters(self) -> list[dict[str, Any]]:
        parameters = super()._get_parameters()
        for parameter in parameters:
            if parameter["in"] == "path":
                parameter["description"] = _PATH_PARAMETERS[parameter["name"]]
        return [*parameters, _IDEMPOTENCY_KEY] if self.method == "POST" else parameters

    def _get_response_bodies(
        self, direction: Literal["request", "response"] = "response"
    ) -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        bodies = {
            code: _with_description(code, body, others=set(bodies)) for code, body in bodies.items()
        }
        own_statuses = self._api_view.problems.get(self.method, ())
        common_statuses = _ALWAYS + (_WITH_BODY if self.method == "POST" else ())
        for status in sorted({*own_statuses, *common_statuses}):
            response = OpenApiResponse(Problem, _DESCRIPTIONS[status], examples=[_example(status)])
            bodies[str(status)] = self._get_response_for_code(
                response, str(status), [PROBLEM_JSON], direction
            ) | _headers(status)
        return bodies

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Return the tokens that are accepted, with their scopes (one of them is enough)."""
        super().get_auth()
        scopes = self._api_view.scopes.get(self.method, ())
        schemes = [{"agentToken": [scope]} for scope in scopes] or [{"agentToken": []}]
        return [*schemes, {"sessionToken": []}] if self._api_view.for_sessions else schemes


def _with_description(code: str, body: dict[str, Any], *, others: set[str]) -> dict[str, Any]:
    """Return a success with its description; a 200 beside a 201 is a replay."""
    if code == "200" and "201" in others:
        replay = {
            "schema": {"type": "string", "const": "true"},
            "description": "Says that an earlier request with the same key was carried out.",
        }
        body |= {
            "description": "An earlier request with the same key created the resource.",
            "headers": {"Idempotent-Replay": replay},
        }
    usual = "The resource was created." if code == "201" else "The request succeeded."
    return body | {"description": body["description"] or usual}


def _example(status: int) -> OpenApiExample:
    code = _CODES[status]
    value = {
        "type": f"https://butler.example.com/api/v1/errors#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": _DESCRIPTIONS[status],
        "code": code,
    }
    return OpenApiExample(code, value, response_only=True, status_codes=[str(status)])


def _headers(status: int) -> dict[str, Any]:
    if status == 401:
        return _header("WWW-Authenticate", "string", "The kind of token that is expected.")
    if status in (429, 503):
        return _header("Retry-After", "integer", "The number of seconds to wait before a retry.")
    return {}


def _header(name: str, kind: str, description: str) -> dict[str, Any]:
    return {"headers": {name: {"schema": {"type": kind}, "description": description}}}


class BearerScheme(OpenApiAuthenticationExtension):
    """Describes the two kinds of token."""

    target_class = "api.authentication.BearerTokens"
    name = ["agentToken", "sessionToken"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, str]]:
        """Return the security schemes, in the order of `name`."""
        return [
            {"type": "http", "scheme": "bearer", "description": "The token of an agent, `bt_…`."},
            {
                "type": "http",
                "scheme": "bearer",
                "description": "The token of a session, `bs_…`, which reaches only that session.",
            },
        ]
