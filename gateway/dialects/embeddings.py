"""Embeddings: they cost their input and have no output."""

from gateway import bounds
from gateway.dialects import openai_usage, unsupported
from gateway.dialects.base import Asked, Reported
from gateway.dialects.json_body import fields_of, joined, model_of
from gateway.dialects.no_stream import UnmeteredStream
from gateway.dialects.reported_usage import answer_in

_GUARDED = frozenset({"model", "input", "service_tier"})


class Embeddings:
    """`/embeddings`."""

    wire_format = "openai"
    path = "/embeddings"
    spends = True

    def parse(self, body: bytes) -> Asked:
        """Take a body apart. Refusals: Unreadable, CannotBeBounded."""
        fields = fields_of(body, guarded=_GUARDED)
        model = model_of(fields)
        unsupported.refuse_tier(fields)
        return Asked(fields=fields, model=model, output_tokens_max=0, output_tokens_least=0)

    def input_bound(self, asked: Asked, *, model: str) -> int:
        """The most input tokens `model` can count for it."""
        return bounds.embeddings_input_max(asked.fields, model=model)

    def rewritten(self, asked: Asked, *, model: str, output_tokens_max: int) -> bytes:
        """The body for the provider."""
        return joined(asked.fields, model=model)

    def reported(self, answer: bytes) -> Reported | None:
        """The usage in a whole answer; None when it has none that can be believed."""
        said = answer_in(answer)
        return openai_usage.reported_in(said.usage, request_id=said.id)

    def produced(self, answer: bytes, *, model: str) -> int:
        """Nothing is written."""
        return 0

    def meter(self, asked: Asked) -> UnmeteredStream:
        """Embeddings do not stream."""
        return UnmeteredStream()
