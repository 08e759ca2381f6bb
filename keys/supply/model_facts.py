"""What must be known of a model to count its tokens and to write requests for it.

The model catalogue has it for each model. The data file, with which the catalogue begins, goes by
names. A name can have a vendor before it (`openai/gpt-5`). What bounds a call is known only of the
models of vendors that host OpenAI's own; what a request may say, of any model with that name.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from keys.refusals import WrongValue
from keys.supply.image_rules import ImageRules, image_rules_from_json

_FILE = Path(__file__).parent / "data" / "model_facts.toml"
_NAMES_CACHED = 1024
TOKENIZERS = ("o200k_base", "cl100k_base")
# What a request can have beside text that a model may not take.
MEDIA = ("image", "audio")
INPUTS = ("text", *MEDIA)
OUTPUT_FIELDS = ("max_tokens", "max_completion_tokens")
# Butler adds them to requests, or has OpenClaw add them.
ADDED_PARAMETERS = ("stream_options", "reasoning_effort", "prompt_cache_key")

_KNOWN = {
    "tokenizer": ("", *TOKENIZERS),
    "inputs": INPUTS,
    "output_field": OUTPUT_FIELDS,
    "refused_parameters": ADDED_PARAMETERS,
}
_SETS = ("refused_parameters", "inputs")


class ModelFacts(NamedTuple):
    """What the gateway must know of a model.

    `inputs`: those of INPUTS that it takes; empty if that is not known.
    `tokenizer`: the name of its public one, or blank. `short_template`: whether little is added to
    the texts of a request, as OpenAI does. `output_field`: the field of a chat request that limits
    the answer. `refused_parameters`: those of ADDED_PARAMETERS that a request must not have.
    `always_searches`: whether the provider searches with every call, even if the request does not
    ask for it. `reasons_unseen`: whether it reasons without showing that in its answer.
    The names are those of the columns of `CatalogueModel`.
    """

    tokenizer: str = ""
    short_template: bool = False
    image_rules: ImageRules = ImageRules()
    output_field: str = "max_tokens"
    refused_parameters: frozenset[str] = frozenset()
    always_searches: bool = False
    reasons_unseen: bool = False
    inputs: frozenset[str] = frozenset()

    def takes(self, medium: str) -> bool:
        """Whether it takes a medium, as far as that is known."""
        return not self.inputs or medium in self.inputs


@lru_cache(_NAMES_CACHED)
def facts_by_name(model: str) -> ModelFacts:
    """What the data file says of a model of this name."""
    bare, last = _bare_name(model), last_part(model)
    tokenizer = find("tokenizers", bare) or {"tokenizer": ""}
    images = find("images", bare) or {}
    return ModelFacts(
        tokenizer["tokenizer"],
        bool(tokenizer["tokenizer"]) and find("open_weights", bare) is None,
        image_rules_from_json({name: rule for name, rule in images.items() if name != "models"}),
        (find("output_fields", last) or {"field": "max_tokens"})["field"],
        _refused_parameters(model),
        find("always_searches", last) is not None,
        find("reasons_unseen", last) is not None,
        frozenset((find("inputs", last) or {"takes": []})["takes"]),
    )


def facts_from_columns(columns: Mapping[str, Any]) -> ModelFacts:
    """The facts in columns of the catalogue. Refusals: WrongValue."""
    for name, known in _KNOWN.items():
        values = columns[name] if name in _SETS else [columns[name]]
        if unknown := set(values) - set(known):
            raise WrongValue(
                f"{min(unknown)!r} is not known. Use {', '.join(filter(None, known))}.", field=name
            )
    return ModelFacts(**columns)._replace(
        image_rules=image_rules_from_json(columns["image_rules"]),
        refused_parameters=frozenset(columns["refused_parameters"]),
        inputs=frozenset(columns["inputs"]),
    )


def columns_of(facts: ModelFacts) -> dict[str, Any]:
    """The facts as columns of the catalogue."""
    return facts._asdict() | {
        "image_rules": msgspec.to_builtins(facts.image_rules),
        "refused_parameters": sorted(facts.refused_parameters),
        "inputs": sorted(facts.inputs),
    }


def _refused_parameters(model: str) -> frozenset[str]:
    last = last_part(model)
    # The same models under another provider's name (`mistralai/…`) are not Mistral's own API.
    takes_options = "/" in model or find("no_stream_options", last) is None
    taken = {
        "stream_options": takes_options,
        "reasoning_effort": find("reasoning_effort", last) is not None,
        "prompt_cache_key": find("prompt_cache_key", last) is not None,
    }
    return frozenset(name for name in ADDED_PARAMETERS if not taken[name])


def find(table: str, name: str) -> dict[str, Any] | None:
    """The first entry of a table of the data file that matches the beginning of `name`."""
    return next((row for row in _data()[table] if re.match(row["models"], name)), None)


def last_part(model: str) -> str:
    """`model` in lower case without any vendor before it."""
    return model.rsplit("/", 1)[-1].lower()


def _bare_name(model: str) -> str:
    """`model` in lower case, without `ft:` and a vendor that hosts OpenAI's models."""
    *vendors, name = model.lower().split("/")
    if not set(vendors) <= set(_data()["openai_hosts"]):
        return model.lower()
    return name.removeprefix("ft:")


@cache
def _data() -> dict[str, Any]:
    with _FILE.open("rb") as file:
        return tomllib.load(file)
