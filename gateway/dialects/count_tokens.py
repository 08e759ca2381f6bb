"""Anthropic's token counting: free of charge, so nothing is held for it."""

from typing import Any

from gateway.dialects import sse
from gateway.dialects.anthropic_usage import DEFAULT_HEADERS
from gateway.dialects.base import CallParameters, DefaultHeaders, UsageReport
from gateway.dialects.json_body import join_fields, model_of, split_fields
from gateway.dialects.no_stream import UnmeteredStream
from keys.services import Usage
from keys.supply.model_facts import ModelFacts


class CountTokens:
    """`/messages/count_tokens`."""

    wire_format = "anthropic"
    path = "/messages/count_tokens"
    takes_media = True
    spends = False
    content_field = "input_tokens"
    conversation_field = ""
    output = "text"
    default_headers: DefaultHeaders = DEFAULT_HEADERS

    def parse(self, body: bytes) -> CallParameters:
        """Parse a request body. Refusals: InvalidRequest."""
        fields = split_fields(body)
        return CallParameters(
            fields=fields, model=model_of(fields), output_tokens_max=0, output_tokens_least=0
        )

    def input_bound(self, parameters: CallParameters, *, model: ModelFacts) -> int:
        """Zero: the model is not called."""
        return 0

    def provider_body(
        self, parameters: CallParameters, *, model: str, facts: ModelFacts, output_tokens_max: int
    ) -> bytes:
        """The body for the provider, with its own model name."""
        return join_fields(parameters.fields, model=model)

    def replaceable_fields(self, parameters: CallParameters) -> frozenset[str]:
        """None: there is no other way to say what the fields say."""
        return frozenset()

    def usage_report(self, body: bytes) -> UsageReport | None:
        """None: the count in the answer is not usage."""
        return None

    def partial_usage(self, body: bytes) -> Usage | None:
        """None: the count in the answer is not usage."""
        return None

    def count_output(self, body: bytes, *, model: ModelFacts) -> int:
        """Zero: the model is not called."""
        return 0

    def meter(self, parameters: CallParameters) -> UnmeteredStream:
        """A meter that finds nothing: this route does not stream."""
        return UnmeteredStream()

    def error_event(self, error: dict[str, Any]) -> bytes:
        """The event that ends a broken stream."""
        return sse.encode_event(error, name="error")
