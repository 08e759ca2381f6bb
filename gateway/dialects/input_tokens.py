"""OpenAI's token counting: free of charge, so nothing is held for it."""

from gateway.dialects import unsupported, unsupported_fields
from gateway.dialects.base import CallParameters, DefaultHeaders
from gateway.dialects.count_tokens import CountTokens


class InputTokens(CountTokens):
    """`/responses/input_tokens`."""

    wire_format = "openai"
    path = "/responses/input_tokens"
    default_headers: DefaultHeaders = ()

    def parse(self, body: bytes) -> CallParameters:
        """Parse a request body. Refusals: InvalidRequest, CannotBeBounded."""
        parameters = super().parse(body)
        # What is stored at the provider may be another session's.
        unsupported.refuse_settings(parameters.fields, unsupported_fields.RESPONSES)
        return parameters
