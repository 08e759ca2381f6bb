"""What must be known of a model to count its tokens and to write requests for it.

The model catalogue has it for each model. The data file, with which the catalogue begins, goes by
names. A name can have a vendor before it (`openai/gpt-5`). What bounds a call is known only of the
models of vendors that host OpenAI's own; what a request may say, of any model with that name.
"""

import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from keys.supply.image_rules import ImageRules, image_rules_from_json

_FILE = Path(__file__).parent / "data" / "model_facts.toml"
_NAMES_CACHED = 1024
# Butler adds them to requests, or makes a client add them.
ADDED_PARAMETERS = ("stream_options", "reasoning_effort", "prompt_cache_key")


class ModelFacts(NamedTuple):
    """What the gateway must know of a model.

    `tokenizer`: the name of its public one, or blank. `short_template`: whether little is added to
    the texts of a request, as OpenAI does. `output_field`: the field of a chat request that limits
    the answer. `refused_parameters`: those of ADDED_PARAMETERS that a request must not have.
    `always_searches`: whether the provider searches with every call, even if the request does not
    ask for it.
    """

    tokenizer: str = ""
    short_template: bool = False
    image_rules: ImageRules = ImageRules()
    output_field: str = "max_tokens"
    refused_parameters: frozenset[str] = frozenset()
    always_searches: bool = False


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
    )


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
