"""The OpenAPI 3.1 schema: what drf-spectacular cannot see by itself.

Every operation says its scope, its `Idempotency-Key`, and every problem it may answer.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers

from api.fields import Strict, component_name

PROBLEM_JSON = "application/problem+json"
# Any operation may answer these.
_ALWAYS = (401, 403, 422, 429, 500, 503)
_WITH_BODY = (400, 413, 415)
_SAYS = {
    400: "The body cannot be read.",
    401: "No valid token.",
    402: "No budget: says which limits lack, what else there is, and when they reset.",
    403: "The token does not reach that far.",
    404: "There is none, or it is another agent's.",
    409: "Its state, or an earlier use of the idempotency key, does not allow it.",
    413: "Larger than any request needs.",
    415: "Not a media type that is read here.",
    422: "Some values cannot be used; `errors` says which.",
    429: "Too many requests with this token.",
    500: "A bug; it is logged.",
    503: "Busy; ask again.",
}
_CODES = {
    400: "malformed",
    401: "not_authenticated",
    402: "limit_reached",
    403: "scope_missing",
    404: "unknown_allocation",
    409: "allocation_closed",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "rate_limited",
    500: "internal_error",
    503: "busy",
}
_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "description": "Repeats of a request with the same key are one request.",
}


class Fault(serializers.Serializer):
    """One value that cannot be used: `pointer` into the body, or the name of the `parameter`."""

    pointer = serializers.CharField(required=False, help_text="JSON pointer, like `#/tokens`.")
    parameter = serializers.CharField(required=False)
    detail = serializers.CharField()


class Problem(serializers.Serializer):
    """A refusal (RFC 9457). Facts that go with the code stand beside these members."""

    type = serializers.URLField(help_text="Where the code is explained.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="Stable; for programs.")
    errors = Fault(many=True, required=False)


class Schema(AutoSchema):
    """Adds to each operation what the views do not repeat."""

    def get_serializer_name(self, serializer: serializers.Serializer, direction: str) -> str:
        """`RotationView.Input` is `RotationInput`: nested serializers need whole names."""
        return component_name(type(serializer))

    def _map_basic_serializer(self, serializer, direction):
        schema = super()._map_basic_serializer(serializer, direction)
        if isinstance(serializer, Strict):
            schema |= {"additionalProperties": False} | serializer.also
        return schema

    def _get_parameters(self) -> list[dict[str, Any]]:
        found = super()._get_parameters()
        return [*found, _IDEMPOTENCY_KEY] if self.method == "POST" else found

    def _get_response_bodies(self, direction="response"):
        bodies = super()._get_response_bodies(direction)
        bodies = {
            code: _with_description(code, body, others=set(bodies)) for code, body in bodies.items()
        }
        own = self.view.problems.get(self.method, ())
        usual = _ALWAYS + (_WITH_BODY if self.method == "POST" else ())
        for status in sorted({*own, *usual}):
            response = OpenApiResponse(Problem, _SAYS[status], examples=[_example(status)])
            bodies[str(status)] = self._get_response_for_code(
                response, str(status), [PROBLEM_JSON], direction
            ) | _headers(status)
        return bodies

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Which tokens, with which scopes (one of them is enough)."""
        super().get_auth()
        scopes = self.view.scopes.get(self.method, ())
        either = [{"agentToken": [scope]} for scope in scopes] or [{"agentToken": []}]
        return [*either, {"sessionToken": []}] if self.view.for_sessions else either


def _with_description(code: str, body: dict[str, Any], *, others: set[str]) -> dict[str, Any]:
    """A success in words; a 200 beside a 201 is a replay."""
    if code == "200" and "201" in others:
        replay = {"schema": {"type": "string", "const": "true"}}
        body |= {"description": "Done before.", "headers": {"Idempotent-Replay": replay}}
    return body | {"description": body["description"] or ("Made." if code == "201" else "Done.")}


def _example(status: int) -> OpenApiExample:
    code = _CODES[status]
    value = {
        "type": f"https://butler.example.com/api/v1/errors#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": _SAYS[status],
        "code": code,
    }
    return OpenApiExample(code, value, response_only=True, status_codes=[str(status)])


def _headers(status: int) -> dict[str, Any]:
    if status == 401:
        return {"headers": {"WWW-Authenticate": {"schema": {"type": "string"}}}}
    if status in (429, 503):
        says = "Seconds to wait."
        return {"headers": {"Retry-After": {"schema": {"type": "integer"}, "description": says}}}
    return {}


class BearerScheme(OpenApiAuthenticationExtension):
    """The two kinds of token."""

    target_class = "api.authentication.BearerTokens"
    name = ("agentToken", "sessionToken")

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, str]]:
        """As they stand in the schema's components."""
        return [
            {"type": "http", "scheme": "bearer", "description": "An agent token, `bt_…`."},
            {
                "type": "http",
                "scheme": "bearer",
                "description": "A session token, `bs_…`: good for its own session only.",
            },
        ]
