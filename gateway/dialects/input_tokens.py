"""OpenAI's token counting: free of charge, so nothing is held for it."""

from gateway.dialects.base import DefaultHeaders
from gateway.dialects.count_tokens import CountTokens


class InputTokens(CountTokens):
    """`/responses/input_tokens`."""

    wire_format = "openai"
    path = "/responses/input_tokens"
    default_headers: DefaultHeaders = ()
