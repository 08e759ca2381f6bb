"""Messages: the wire format of Anthropic."""

from msgspec import Raw

from gateway import bounds
from gateway.dialects import anthropic_usage, output_count, unsupported
from gateway.dialects.base import Asked, Reported
from gateway.dialects.json_body import (
    clamped,
    fields_of,
    flag_of,
    joined,
    model_of,
    object_of,
    whole_number_of,
)
from gateway.dialects.messages_meter import MessagesMeter
from gateway.dialects.reported_usage import answer_in, as_object, id_of

_OUTPUT = ("max_tokens",)
_GUARDED = frozenset(
    {"model", "messages", "system", "tools", "stream", "thinking", "service_tier", "speed"}
    | {"inference_geo", "context_management", *_OUTPUT}
    | unsupported.MESSAGES.keys()
)


class Messages:
    """`/messages`."""

    wire_format = "anthropic"
    path = "/messages"
    spends = True

    def parse(self, body: bytes) -> Asked:
        """Take a body apart. Refusals: Unreadable, CannotBeBounded."""
        fields = fields_of(body, guarded=_GUARDED)
        model = model_of(fields)
        _refuse_unbounded(fields)
        output_max = whole_number_of(fields, "max_tokens", least=0)
        return Asked(
            fields=fields,
            model=model,
            stream=flag_of(fields, "stream"),
            output_tokens_max=output_max,
            output_tokens_least=_least(fields, output_max),
        )

    def input_bound(self, asked: Asked, *, model: str) -> int:
        """The most input tokens `model` can count for it."""
        return bounds.messages_input_max(asked.fields, model=model)

    def rewritten(self, asked: Asked, *, model: str, output_tokens_max: int) -> bytes:
        """The body for the provider."""
        changed = clamped(
            asked.fields,
            names=_OUTPUT,
            usual="max_tokens",
            output_tokens_max=output_tokens_max,
        )
        return joined(asked.fields, model=model, **changed)

    def reported(self, answer: bytes) -> Reported | None:
        """The usage in a whole answer; None when it has none that can be believed."""
        said = answer_in(answer)
        return anthropic_usage.reported_in(as_object(said.usage), request_id=id_of(said.id))

    def produced(self, answer: bytes, *, model: str) -> int:
        """Output tokens counted from a whole answer's content."""
        return output_count.tokens_in(answer, "content", model=model)

    def meter(self, asked: Asked) -> MessagesMeter:
        """A meter for one stream."""
        return MessagesMeter()


def _refuse_unbounded(fields: dict[str, Raw]) -> None:
    unsupported.refuse_settings(fields, unsupported.MESSAGES)
    unsupported.refuse_tier(fields)
    why = "It has a price of its own; leave the field out."
    unsupported.refuse_value(fields, "speed", known=(None, "standard"), why=why)
    unsupported.refuse_value(fields, "inference_geo", known=(None, "global"), why=why)
    unsupported.refuse_edits(fields)
    unsupported.refuse_tools(fields, runs_at_client=unsupported.anthropic_client_tool)


def _least(fields: dict[str, Raw], output_max: int | None) -> int:
    # With a thinking budget the answer must have room for it and one token more.
    budget = whole_number_of(object_of(fields, "thinking"), "budget_tokens", least=0) or 0
    return budget + 1 if output_max is None else min(budget + 1, output_max)
