"""Upper bounds: the most input tokens a provider can count for a request, known before the call.

Texts are counted if the tokenizer is public, otherwise bounded by their bytes; never estimated.
Everything here is pure: no network, no books, no clock.
"""

from gateway.bounds.audio import audio_tokens_max
from gateway.bounds.chat import chat_input_max
from gateway.bounds.completions import completions_input_max, prompts_of
from gateway.bounds.embeddings import embeddings_input_max
from gateway.bounds.files import take_files
from gateway.bounds.images import image_tokens_max
from gateway.bounds.json_outline import has_more_values
from gateway.bounds.json_values import SETTINGS, check_unique_names, raw_bytes_max
from gateway.bounds.messages import messages_input_max
from gateway.bounds.responses import responses_input_max
from gateway.bounds.tokenizers import (
    count_within_limit,
    load_tokenizers,
    text_tokens_exact,
    text_tokens_max,
    utf8_max,
)

__all__ = [
    "SETTINGS",
    "audio_tokens_max",
    "chat_input_max",
    "check_unique_names",
    "completions_input_max",
    "count_within_limit",
    "embeddings_input_max",
    "has_more_values",
    "image_tokens_max",
    "load_tokenizers",
    "messages_input_max",
    "prompts_of",
    "raw_bytes_max",
    "responses_input_max",
    "take_files",
    "text_tokens_exact",
    "text_tokens_max",
    "utf8_max",
]
