"""The most input tokens of a call for embeddings."""

from collections.abc import Mapping
from typing import Any

from gateway.bounds.json_values import SETTINGS, as_list, others_max, value_of
from gateway.bounds.tokenizers import text_tokens_max
from gateway.refusals import CannotBeBounded
from keys.supply.model_facts import ModelFacts

# [CLS] and [SEP] around every text, if the model has them.
_INPUT = 2

# Lists and objects of providers that no model gets.
_SETTINGS = frozenset({"embedding_types", "embedding_type", "output_dtype", "extra_body"})


def embeddings_input_max(fields: Mapping[str, Any], *, model: ModelFacts) -> int:
    """The most input tokens of `input`: a text, texts, token ids or lists of token ids.

    Refusals: CannotBeBounded, InvalidRequest.
    """
    _refuse_other_inputs(fields)
    others = others_max(fields, ("input", *_SETTINGS), model=model)
    inputs = as_list(value_of(fields, "input"))
    if inputs and all(_is_token(each) for each in inputs):
        return len(inputs) + _INPUT + others
    return others * max(len(inputs), 1) + sum(
        _input_max(each, model=model) + _INPUT for each in inputs
    )


def _refuse_other_inputs(fields: Mapping[str, Any]) -> None:
    """Some providers embed messages or images of other fields."""
    for name in sorted(fields.keys() - SETTINGS - _SETTINGS - {"input"}):
        if isinstance(value_of(fields, name), (list, dict)):
            raise CannotBeBounded(
                f"`{name}` is not counted for embeddings. Send texts or token ids in `input`.",
                field=name,
            )


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
