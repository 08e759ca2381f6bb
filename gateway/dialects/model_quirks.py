"""Where models of one wire format differ in what their requests may say, by the model's name.

A model is known by the last part of its name (`openai/gpt-5` is `gpt-5`).
"""

import re

# OpenAI's newer models refuse `max_tokens`; many other providers know nothing else.
_COMPLETION_MAX = re.compile(r"(o\d|gpt-[5-9]|gpt-\d\d)")
# Mistral refuses fields it does not know, `stream_options` among them, and says usage anyway.
_NO_STREAM_OPTIONS = re.compile(
    r"(open-)?(mistral|mixtral|ministral|magistral|codestral|devstral|pixtral|voxtral)|labs-"
)


def output_field(model: str) -> str:
    """The field of a chat request that bounds the answer."""
    return "max_completion_tokens" if _is(_COMPLETION_MAX, model) else "max_tokens"


def takes_stream_options(model: str) -> bool:
    """Whether a stream's usage must, and may, be asked for."""
    # The same models under another provider's name (`mistralai/…`) are not Mistral's own API.
    return "/" in model or not _is(_NO_STREAM_OPTIONS, model)


def _is(pattern: re.Pattern[str], model: str) -> bool:
    return pattern.match(model.rsplit("/", 1)[-1].lower()) is not None
