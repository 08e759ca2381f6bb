"""Responses: OpenAI's newer wire format; what Codex speaks."""

from msgspec import Raw

from gateway import bounds
from gateway.dialects import openai_usage, output_count, unsupported
from gateway.dialects.base import Asked, Reported
from gateway.dialects.json_body import (
    clamped,
    fields_of,
    flag_of,
    joined,
    model_of,
    whole_number_of,
)
from gateway.dialects.reported_usage import answer_in
from gateway.dialects.responses_meter import ResponsesMeter

_OUTPUT = ("max_output_tokens",)
# OpenAI refuses a smaller maximum.
_OUTPUT_LEAST = 16
_GUARDED = frozenset(
    {"model", "input", "instructions", "tools", "stream", "service_tier", *_OUTPUT}
    | unsupported.RESPONSES.keys()
)


class Responses:
    """`/responses`."""

    wire_format = "openai"
    path = "/responses"
    spends = True

    def parse(self, body: bytes) -> Asked:
        """Take a body apart. Refusals: Unreadable, CannotBeBounded."""
        fields = fields_of(body, guarded=_GUARDED)
        model = model_of(fields)
        _refuse_unbounded(fields)
        output_max = whole_number_of(fields, "max_output_tokens")
        return Asked(
            fields=fields,
            model=model,
            stream=flag_of(fields, "stream"),
            output_tokens_max=output_max,
            output_tokens_least=min(_OUTPUT_LEAST, output_max or _OUTPUT_LEAST),
        )

    def input_bound(self, asked: Asked, *, model: str) -> int:
        """The most input tokens `model` can count for it."""
        return bounds.responses_input_max(asked.fields, model=model)

    def rewritten(self, asked: Asked, *, model: str, output_tokens_max: int) -> bytes:
        """The body for the provider."""
        changed = clamped(
            asked.fields,
            names=_OUTPUT,
            usual="max_output_tokens",
            output_tokens_max=output_tokens_max,
        )
        return joined(asked.fields, model=model, **changed)

    def reported(self, answer: bytes) -> Reported | None:
        """The usage in a whole answer; None when it has none that can be believed."""
        said = answer_in(answer)
        return openai_usage.reported_in(said.usage, request_id=said.id)

    def produced(self, answer: bytes, *, model: str) -> int:
        """Output tokens counted from a whole answer's content."""
        return output_count.tokens_in(answer, "output", model=model)

    def meter(self, asked: Asked) -> ResponsesMeter:
        """A meter for one stream."""
        return ResponsesMeter()


def _refuse_unbounded(fields: dict[str, Raw]) -> None:
    unsupported.refuse_settings(fields, unsupported.RESPONSES)
    unsupported.refuse_tier(fields)
    unsupported.refuse_tools(fields, runs_at_client=unsupported.openai_client_tool)
