"""Embeddings: they cost their input and have no output."""

from typing import Any

from gateway import bounds
from gateway.dialects import openai_usage, sse
from gateway.dialects.base import CallParameters, DefaultHeaders, UsageReport
from gateway.dialects.json_body import join_fields, model_of, split_fields
from gateway.dialects.no_stream import UnmeteredStream
from gateway.dialects.reported_usage import decode_answer
from keys.services import Usage
from keys.supply.model_facts import ModelFacts


class Embeddings:
    """`/embeddings`."""

    wire_format = "openai"
    path = "/embeddings"
    takes_media = False
    spends = True
    content_field = "data"
    conversation_field = ""
    output = "embeddings"
    default_headers: DefaultHeaders = ()

    def parse(self, body: bytes) -> CallParameters:
        """Parse a request body. Refusals: InvalidRequest, CannotBeBounded."""
        fields = split_fields(body)
        model = model_of(fields)
        return CallParameters(
            fields=fields, model=model, output_tokens_max=0, output_tokens_least=0
        )

    def input_bound(self, parameters: CallParameters, *, model: ModelFacts) -> int:
        """The most input tokens `model` can count for it."""
        return bounds.embeddings_input_max(parameters.fields, model=model)

    def provider_body(
        self, parameters: CallParameters, *, model: str, facts: ModelFacts, output_tokens_max: int
    ) -> bytes:
        """The body for the provider, with its own model name."""
        return join_fields(parameters.fields, model=model)

    def replaceable_fields(self, parameters: CallParameters) -> frozenset[str]:
        """None: there is no other way to say what the fields say."""
        return frozenset()

    def usage_report(self, body: bytes) -> UsageReport | None:
        """The usage in the answer; None when it has none that is plausible."""
        answer = decode_answer(body)
        return openai_usage.usage_report(
            answer.usage, request_id=answer.id
        ) or openai_usage.unusual_report(body)

    def partial_usage(self, body: bytes) -> Usage | None:
        """What a usage without all its totals still says."""
        return openai_usage.partial_usage(openai_usage.whole_answer_values(body))

    def count_output(self, body: bytes, *, model: ModelFacts) -> int:
        """Zero: the model writes no text."""
        return 0

    def meter(self, parameters: CallParameters) -> UnmeteredStream:
        """A meter that finds nothing: this route does not stream."""
        return UnmeteredStream()

    def error_event(self, error: dict[str, Any]) -> bytes:
        """The event that ends a broken stream."""
        return sse.encode_event(error, name="error")
