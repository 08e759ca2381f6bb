"""Messages: Anthropic's wire format."""

from typing import Any

from msgspec import Raw

from gateway import bounds
from gateway.dialects import anthropic_usage, output_count, sse, unsupported
from gateway.dialects.base import CallParameters, DefaultHeaders, UsageReport
from gateway.dialects.json_body import (
    clamp_output,
    flag_of,
    join_fields,
    model_of,
    object_of,
    split_fields,
    whole_number_of,
)
from gateway.dialects.messages_meter import MessagesMeter
from gateway.dialects.reported_usage import as_object, decode_answer, id_of
from gateway.dialects.searches import Searches, anthropic_search_tool, searches_of_message
from keys.services import Usage
from keys.supply.model_facts import ModelFacts

_OUTPUT = ("max_tokens",)


class Messages:
    """`/messages`."""

    wire_format = "anthropic"
    path = "/messages"
    takes_media = True
    spends = True
    content_field = "content"
    conversation_field = "messages"
    output = "text"
    default_headers: DefaultHeaders = anthropic_usage.DEFAULT_HEADERS

    def parse(self, body: bytes) -> CallParameters:
        """Parse a request body. Refusals: InvalidRequest, CannotBeBounded."""
        fields = split_fields(body)
        model = model_of(fields)
        searches = _refuse_unsupported(fields)
        output_max = whole_number_of(fields, "max_tokens", least=0)
        return CallParameters(
            fields=fields,
            model=model,
            stream=flag_of(fields, "stream"),
            output_tokens_max=output_max,
            output_tokens_least=_output_least(fields, output_max),
            searches=searches,
        )

    def input_bound(self, parameters: CallParameters, *, model: ModelFacts) -> int:
        """The most input tokens `model` can count for it."""
        return bounds.messages_input_max(parameters.fields, model=model)

    def provider_body(
        self, parameters: CallParameters, *, model: str, facts: ModelFacts, output_tokens_max: int
    ) -> bytes:
        """The body for the provider, with its own model name and the output clamped."""
        changes = clamp_output(
            parameters.fields,
            names=_OUTPUT,
            default="max_tokens",
            output_tokens_max=output_tokens_max,
        )
        return join_fields(parameters.fields, model=model, **changes)

    def replaceable_fields(self, parameters: CallParameters) -> frozenset[str]:
        """None: there is no other way to say what the fields say."""
        return frozenset()

    def usage_report(self, body: bytes) -> UsageReport | None:
        """The usage in a whole answer; None when it has none that is plausible."""
        answer = decode_answer(body)
        return anthropic_usage.usage_report(as_object(answer.usage), request_id=id_of(answer.id))

    def partial_usage(self, body: bytes) -> Usage | None:
        """What a usage without all its totals still says."""
        return anthropic_usage.partial_usage(as_object(decode_answer(body).usage))

    def count_output(self, body: bytes, *, model: ModelFacts) -> int:
        """Output tokens counted from the content of a whole answer."""
        return output_count.count_tokens(body, "content", model=model)

    def meter(self, parameters: CallParameters) -> MessagesMeter:
        """A meter for one stream."""
        return MessagesMeter()

    def error_event(self, error: dict[str, Any]) -> bytes:
        """The event that ends a broken stream."""
        return sse.encode_event(error, name="error")


def _refuse_unsupported(fields: dict[str, Raw]) -> Searches | None:
    unsupported.refuse_edits(fields)
    tools = unsupported.refuse_tools(
        fields, runs_at_client=unsupported.anthropic_client_tool, is_search=anthropic_search_tool
    )
    return searches_of_message(fields, tools)


def _output_least(fields: dict[str, Raw], output_max: int | None) -> int:
    # With a thinking budget the answer must have room for it and one token more.
    budget = whole_number_of(object_of(fields, "thinking"), "budget_tokens", least=0) or 0
    return budget + 1 if output_max is None else min(budget + 1, output_max)
