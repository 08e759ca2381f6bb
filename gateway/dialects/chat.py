"""Chat completions: the wire format of OpenAI that nearly every provider copied."""

from gateway import bounds
from gateway.dialects import model_quirks, openai_usage, output_count, unsupported
from gateway.dialects.base import Asked, Reported
from gateway.dialects.chat_meter import ChatMeter
from gateway.dialects.json_body import (
    clamped,
    fields_of,
    flag_of,
    joined,
    model_of,
    object_of,
    whole_number_of,
)
from gateway.dialects.reported_usage import answer_in

_OUTPUT = ("max_tokens", "max_completion_tokens")
_CHOICES_MAX = 128
_GUARDED = frozenset(
    {"model", "messages", "tools", "n", "stream", "stream_options", "service_tier", *_OUTPUT}
    | unsupported.CHAT.keys()
)


class Chat:
    """`/chat/completions`."""

    wire_format = "openai"
    path = "/chat/completions"
    spends = True

    def parse(self, body: bytes) -> Asked:
        """Take a body apart. Refusals: Unreadable, CannotBeBounded."""
        fields = fields_of(body, guarded=_GUARDED)
        model = model_of(fields)
        unsupported.refuse_settings(fields, unsupported.CHAT)
        unsupported.refuse_tier(fields)
        unsupported.refuse_tools(fields, runs_at_client=unsupported.openai_client_tool)
        maxima = [whole_number_of(fields, name) for name in _OUTPUT]
        stream = flag_of(fields, "stream")
        return Asked(
            fields=fields,
            model=model,
            stream=stream,
            output_tokens_max=min((most for most in maxima if most is not None), default=None),
            choices=whole_number_of(fields, "n", most=_CHOICES_MAX) or 1,
            usage_asked=not stream or flag_of(object_of(fields, "stream_options"), "include_usage"),
        )

    def input_bound(self, asked: Asked, *, model: str) -> int:
        """The most input tokens `model` can count for it."""
        return bounds.chat_input_max(asked.fields, model=model)

    def rewritten(self, asked: Asked, *, model: str, output_tokens_max: int) -> bytes:
        """The body for the provider."""
        changed = clamped(
            asked.fields,
            names=_OUTPUT,
            usual=model_quirks.output_field(model),
            output_tokens_max=output_tokens_max,
        )
        if asked.stream and not asked.usage_asked and model_quirks.knows_stream_options(model):
            options = object_of(asked.fields, "stream_options")
            changed["stream_options"] = {**options, "include_usage": True}
        return joined(asked.fields, model=model, **changed)

    def reported(self, answer: bytes) -> Reported | None:
        """The usage in a whole answer; None when it has none that can be believed."""
        said = answer_in(answer)
        return openai_usage.reported_in(said.usage, said.x_groq, request_id=said.id)

    def produced(self, answer: bytes, *, model: str) -> int:
        """Output tokens counted from a whole answer's content."""
        return output_count.tokens_in(answer, "choices", model=model)

    def meter(self, asked: Asked) -> ChatMeter:
        """A meter for one stream."""
        return ChatMeter(asked)
