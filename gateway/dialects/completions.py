"""Completions of a text: OpenAI's older wire format, in which editors ask to fill in the middle."""

from gateway import bounds
from gateway.dialects import unsupported
from gateway.dialects.base import CallParameters
from gateway.dialects.chat import CHOICES_MAX, Chat
from gateway.dialects.json_body import flag_of, model_of, object_of, split_fields, whole_number_of
from gateway.refusals import InvalidRequest
from keys.supply.model_facts import ModelFacts

# What OpenAI's API documents for a request without a maximum; others have other defaults or none.
_OUTPUT_TOKENS_DEFAULT = 16


class Completions(Chat):
    """`/completions`: texts instead of messages; its answers are reported as those of chat are."""

    path = "/completions"
    takes_media = False
    conversation_field = ""
    output_fields = ("max_tokens",)

    def parse(self, body: bytes) -> CallParameters:
        """Parse a request body. Refusals: InvalidRequest, CannotBeBounded."""
        fields = split_fields(body)
        model = model_of(fields)
        unsupported.refuse_tools(fields, runs_at_client=unsupported.openai_client_tool)
        stream = flag_of(fields, "stream")
        output_max = whole_number_of(fields, "max_tokens", least=0)
        prompts = len(bounds.prompts_of(fields))
        if prompts > CHOICES_MAX:
            raise InvalidRequest(
                f"`prompt` must not have more than {CHOICES_MAX} texts.", field="prompt"
            )
        return CallParameters(
            fields=fields,
            model=model,
            stream=stream,
            output_tokens_max=_OUTPUT_TOKENS_DEFAULT if output_max is None else output_max,
            output_tokens_least=min(1, output_max or 0),
            choices=prompts * (whole_number_of(fields, "n", most=CHOICES_MAX) or 1),
            usage_requested=not stream
            or flag_of(object_of(fields, "stream_options"), "include_usage"),
        )

    def input_bound(self, parameters: CallParameters, *, model: ModelFacts) -> int:
        """The most input tokens `model` can count for it."""
        return bounds.completions_input_max(parameters.fields, model=model)

    def output_field(self, model: ModelFacts) -> str:
        """The field that limits the answer: this route has only one."""
        return "max_tokens"
