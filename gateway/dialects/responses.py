"""Responses: OpenAI's newer wire format, which Codex uses."""

from typing import Any

from msgspec import Raw

from gateway import bounds
from gateway.dialects import openai_usage, output_count, sse, unsupported
from gateway.dialects.base import CallParameters, DefaultHeaders, UsageReport
from gateway.dialects.json_body import (
    clamp_output,
    flag_of,
    join_fields,
    model_of,
    split_fields,
    whole_number_of,
)
from gateway.dialects.reported_usage import decode_answer
from gateway.dialects.responses_meter import ResponsesMeter
from gateway.dialects.search_items import searches_in, with_searches
from gateway.dialects.searches import (
    Searches,
    openai_search_tool,
    searches_of_response,
)
from keys.services import Usage
from keys.supply.model_facts import ModelFacts

_OUTPUT = ("max_output_tokens",)
# OpenAI refuses a smaller maximum.
_OUTPUT_LEAST = 16


class Responses:
    """`/responses`."""

    wire_format = "openai"
    path = "/responses"
    takes_media = True
    spends = True
    content_field = "output"
    conversation_field = "input"
    output = "text"
    default_headers: DefaultHeaders = ()

    def parse(self, body: bytes) -> CallParameters:
        """Parse a request body. Refusals: InvalidRequest, CannotBeBounded."""
        fields = split_fields(body)
        model = model_of(fields)
        searches = _refuse_unsupported(fields)
        output_max = whole_number_of(fields, "max_output_tokens")
        return CallParameters(
            fields=fields,
            model=model,
            stream=flag_of(fields, "stream"),
            output_tokens_max=output_max,
            output_tokens_least=min(_OUTPUT_LEAST, output_max or _OUTPUT_LEAST),
            searches=searches,
        )

    def input_bound(self, parameters: CallParameters, *, model: ModelFacts) -> int:
        """The most input tokens `model` can count for it."""
        return bounds.responses_input_max(parameters.fields, model=model)

    def provider_body(
        self, parameters: CallParameters, *, model: str, facts: ModelFacts, output_tokens_max: int
    ) -> bytes:
        """The body for the provider, with its own model name and the output clamped."""
        changes = clamp_output(
            parameters.fields,
            names=_OUTPUT,
            default="max_output_tokens",
            output_tokens_max=output_tokens_max,
        )
        return join_fields(parameters.fields, model=model, **changes)

    def replaceable_fields(self, parameters: CallParameters) -> frozenset[str]:
        """None: there is no other way to say what the fields say."""
        return frozenset()

    def usage_report(self, body: bytes) -> UsageReport | None:
        """The usage in a whole answer; None when it has none that is plausible."""
        answer = decode_answer(body)
        report = openai_usage.usage_report(
            answer.usage, request_id=answer.id
        ) or openai_usage.unusual_report(body)
        return report and with_searches(report, searches_in(body))

    def partial_usage(self, body: bytes) -> Usage | None:
        """What a usage without all its totals still says."""
        return openai_usage.partial_usage(openai_usage.whole_answer_values(body))

    def count_output(self, body: bytes, *, model: ModelFacts) -> int:
        """Output tokens counted from the content of a whole answer."""
        return output_count.count_tokens(body, "output", model=model)

    def meter(self, parameters: CallParameters) -> ResponsesMeter:
        """A meter for one stream."""
        return ResponsesMeter()

    def error_event(self, error: dict[str, Any]) -> bytes:
        """The event that ends a broken stream.

        OpenAI documents the fields at the top and sends `error`; its SDKs raise only at that.
        """
        fields = {**error["error"], "type": "error", "sequence_number": 0, **error}
        return sse.encode_event(fields, name="error")


def _refuse_unsupported(fields: dict[str, Raw]) -> Searches | None:
    tools = unsupported.refuse_tools(
        fields, runs_at_client=unsupported.openai_client_tool, is_search=openai_search_tool
    )
    return searches_of_response(fields, tools)
