"""The most input tokens of a completion of a text."""

from collections.abc import Mapping
from typing import Any

from gateway.bounds.json_values import as_list, field_max, others_max, value_of
from gateway.bounds.tokenizers import text_tokens_max
from gateway.refusals import CannotBeBounded
from keys.supply.model_facts import ModelFacts

# The beginning of a text, and the marks of prefix, suffix and middle in code models.
_PROMPT = 8


def completions_input_max(fields: Mapping[str, Any], *, model: ModelFacts) -> int:
    """The most input tokens of all prompts with the suffix. Refusals: CannotBeBounded,
    InvalidRequest."""
    prompts = prompts_of(fields)
    suffix = field_max(value_of(fields, "suffix"), model=model)
    others = others_max(fields, ("prompt", "suffix"), model=model)
    around = (_PROMPT + suffix + others) * len(prompts)
    return around + sum(_prompt_max(prompt, model=model) for prompt in prompts)


def prompts_of(fields: Mapping[str, Any]) -> list[Any]:
    """Each prompt of a request: a text or a list of token ids. Each gets answers of its own.

    Refusals: InvalidRequest.
    """
    prompts = as_list(value_of(fields, "prompt"))
    if prompts and all(_is_token(each) for each in prompts):
        return [prompts]
    # Without a prompt the model begins a new text.
    return prompts or [""]


def _prompt_max(prompt: Any, *, model: ModelFacts) -> int:
    if isinstance(prompt, str):
        return text_tokens_max(prompt, model=model)
    if isinstance(prompt, list) and all(_is_token(token) for token in prompt):
        return len(prompt)
    raise CannotBeBounded(
        "Only texts and token ids can be counted before the call. Send one of them.",
        field="prompt",
    )


def _is_token(value: Any) -> bool:
    return type(value) is int
