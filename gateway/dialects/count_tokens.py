"""Counting tokens at Anthropic: free of charge, so nothing is set aside for it."""

from gateway.dialects.base import Asked, Reported
from gateway.dialects.json_body import fields_of, joined, model_of
from gateway.dialects.no_stream import UnmeteredStream

_GUARDED = frozenset({"model"})


class CountTokens:
    """`/messages/count_tokens`."""

    wire_format = "anthropic"
    path = "/messages/count_tokens"
    spends = False

    def parse(self, body: bytes) -> Asked:
        """Take a body apart. Refusals: Unreadable."""
        fields = fields_of(body, guarded=_GUARDED)
        model = model_of(fields)
        return Asked(fields=fields, model=model, output_tokens_max=0, output_tokens_least=0)

    def input_bound(self, asked: Asked, *, model: str) -> int:
        """Nothing is sampled."""
        return 0

    def rewritten(self, asked: Asked, *, model: str, output_tokens_max: int) -> bytes:
        """The body for the provider."""
        return joined(asked.fields, model=model)

    def reported(self, answer: bytes) -> Reported | None:
        """A count is no usage."""
        return None

    def produced(self, answer: bytes, *, model: str) -> int:
        """Nothing is written."""
        return 0

    def meter(self, asked: Asked) -> UnmeteredStream:
        """Counts do not stream."""
        return UnmeteredStream()
