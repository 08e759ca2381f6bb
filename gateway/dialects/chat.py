"""Chat completions: OpenAI's wire format that nearly every provider has copied."""

from typing import Any

from django.conf import settings
from msgspec import Raw

from gateway import bounds
from gateway.dialects import known_fields, openai_usage, output_count, sse, unsupported
from gateway.dialects.base import CallParameters, DefaultHeaders, UsageReport
from gateway.dialects.chat_meter import ChatMeter
from gateway.dialects.json_body import (
    check_entries,
    clamp_output,
    flag_of,
    join_fields,
    model_of,
    object_of,
    split_fields,
    value_of,
    whole_number_of,
)
from gateway.dialects.reported_usage import decode_answer
from gateway.dialects.searches import OPTIONS, Searches, searches_of_chat
from keys.services import Usage
from keys.supply.model_facts import ModelFacts

_OUTPUT = ("max_tokens", "max_completion_tokens")
_OTHER = dict(zip(_OUTPUT, reversed(_OUTPUT), strict=True))
CHOICES_MAX = 128


class Chat:
    """`/chat/completions`."""

    wire_format = "openai"
    path = "/chat/completions"
    takes_media = True
    spends = True
    content_field = "choices"
    conversation_field = "messages"
    output = "text"
    output_fields: tuple[str, ...] = _OUTPUT
    default_headers: DefaultHeaders = ()

    def parse(self, body: bytes) -> CallParameters:
        """Parse a request body. Refusals: InvalidRequest, CannotBeBounded."""
        fields = split_fields(body)
        model = model_of(fields)
        unsupported.refuse_tools(fields, runs_at_client=unsupported.openai_client_tool)
        if "functions" in fields:
            check_entries(fields, "functions", most=settings.GATEWAY_TOOLS_MAX)
        maxima = [whole_number_of(fields, name) for name in _OUTPUT]
        stream = flag_of(fields, "stream")
        return CallParameters(
            fields=fields,
            model=model,
            stream=stream,
            output_tokens_max=min((most for most in maxima if most is not None), default=None),
            choices=whole_number_of(fields, "n", most=CHOICES_MAX) or 1,
            usage_requested=not stream
            or flag_of(object_of(fields, "stream_options"), "include_usage"),
            searches=_searches(fields),
        )

    def input_bound(self, parameters: CallParameters, *, model: ModelFacts) -> int:
        """The most input tokens `model` can count for it."""
        return bounds.chat_input_max(parameters.fields, model=model)

    def provider_body(
        self, parameters: CallParameters, *, model: str, facts: ModelFacts, output_tokens_max: int
    ) -> bytes:
        """The body for the provider, with the output clamped and the usage requested."""
        fields, refused = parameters.fields, parameters.refused_fields
        changes = clamp_output(
            fields,
            names=self.output_fields,
            default=self.output_field(facts),
            output_tokens_max=output_tokens_max,
        )
        for name in refused & changes.keys():
            changes.setdefault(_OTHER[name], changes.pop(name))
        ask_usage = parameters.stream and not parameters.usage_requested
        if ask_usage and "stream_options" not in facts.refused_parameters:
            options = object_of(fields, "stream_options")
            changes["stream_options"] = {**options, "include_usage": True}
        if refused:
            fields = {name: value for name, value in fields.items() if name not in refused}
            changes = {name: value for name, value in changes.items() if name not in refused}
        return join_fields(fields, model=model, **changes)

    def replaceable_fields(self, parameters: CallParameters) -> frozenset[str]:
        """The names of the maximum if there are two, and the options of a stream."""
        options = {"stream_options"} if parameters.stream else set()
        maxima = self.output_fields if len(self.output_fields) > 1 else ()
        return frozenset({*maxima, *options})

    def output_field(self, model: ModelFacts) -> str:
        """The field that limits the answer of `model`, if the client used none."""
        return model.output_field

    def usage_report(self, body: bytes) -> UsageReport | None:
        """The usage in a whole answer; None when it has none that is plausible."""
        answer = decode_answer(body)
        return openai_usage.usage_report(
            answer.usage, answer.x_groq, request_id=answer.id
        ) or openai_usage.unusual_report(body)

    def partial_usage(self, body: bytes) -> Usage | None:
        """What a usage without all its totals still says."""
        return openai_usage.partial_usage(openai_usage.whole_answer_values(body))

    def count_output(self, body: bytes, *, model: ModelFacts) -> int:
        """Output tokens counted from the content of a whole answer."""
        return output_count.count_tokens(body, "choices", model=model)

    def meter(self, parameters: CallParameters) -> ChatMeter:
        """A meter for one stream."""
        return ChatMeter(parameters)

    def error_event(self, error: dict[str, Any]) -> bytes:
        """The event that ends a broken stream. Events of chat completions have no name."""
        return sse.encode_event(error)


def _searches(fields: dict[str, Raw]) -> Searches | None:
    if OPTIONS in fields and known_fields.is_on(value_of(fields, OPTIONS)):
        return searches_of_chat()
    return None
