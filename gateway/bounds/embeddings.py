"""The most input tokens of a call for embeddings."""

from collections.abc import Mapping
from typing import Any

from gateway.bounds.json_values import as_list, value_of
from gateway.bounds.tokenizers import text_tokens_max
from gateway.refusals import CannotBeBounded
from keys.supply.model_facts import ModelFacts

# [CLS] and [SEP] around every text, if the model has them.
_INPUT = 2


def embeddings_input_max(fields: Mapping[str, Any], *, model: ModelFacts) -> int:
    """The most input tokens of `input`: a text, texts, token ids or lists of token ids.

    Refusals: CannotBeBounded, InvalidRequest.
    """
    inputs = as_list(value_of(fields, "input"))
    if inputs and all(_is_token(each) for each in inputs):
        return len(inputs) + _INPUT
    return sum(_input_max(each, model=model) + _INPUT for each in inputs)


def _input_max(each: Any, *, model: ModelFacts) -> int:
    if isinstance(each, str):
        return text_tokens_max(each, model=model)
    if isinstance(each, list) and all(_is_token(token) for token in each):
        return len(each)
    raise CannotBeBounded(
        "Only texts and token ids can be counted before the call. Send one of them.", field="input"
    )


def _is_token(value: Any) -> bool:
    return type(value) is int
