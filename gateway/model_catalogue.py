"""Facts about models by their names; the data is in `model_catalogue.toml`.

A name can have a vendor before it (`openai/gpt-5`). What bounds a call is known only of the
models of vendors that host OpenAI's own; what a request may say, of any model with that name.
"""

import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

_FILE = Path(__file__).with_suffix(".toml")
_NAMES_CACHED = 1024


def bare_name(model: str) -> str:
    """`model` in lower case, without `ft:` and a vendor that hosts OpenAI's models."""
    *vendors, name = model.lower().split("/")
    if not set(vendors) <= _openai_hosts():
        return model.lower()
    return name.removeprefix("ft:")


@lru_cache(_NAMES_CACHED)
def tokenizer_of(model: str) -> str | None:
    """The name of the model's public tokenizer, or None."""
    entry = _find("tokenizers", bare_name(model))
    return str(entry["tokenizer"]) if entry else None


@lru_cache(_NAMES_CACHED)
def is_openai_hosted(model: str) -> bool:
    """Whether OpenAI itself writes the model's prompt template, which adds little."""
    return tokenizer_of(model) is not None and _find("open_weights", bare_name(model)) is None


def image_rules(model: str) -> dict[str, dict[str, Any]]:
    """The parameters of the rules (`tiles`, `patches`, `flat`) that say how large an image is."""
    entry = _find("images", bare_name(model))
    if entry is None:
        raise LookupError("The last entry of `images` must match every name.")
    return {rule: entry[rule] for rule in ("tiles", "patches", "flat") if rule in entry}


@lru_cache(_NAMES_CACHED)
def output_field(model: str) -> str:
    """The field of a chat request that limits the answer."""
    entry = _find("output_fields", _last_part(model))
    return str(entry["field"]) if entry else "max_tokens"


@lru_cache(_NAMES_CACHED)
def takes_stream_options(model: str) -> bool:
    """Whether the usage of a chat stream must, and may, be requested."""
    # The same models under another provider's name (`mistralai/…`) are not Mistral's own API.
    return "/" in model or _find("no_stream_options", _last_part(model)) is None


def takes_reasoning_effort(model: str) -> bool:
    """Whether a request may say how much the model should reason."""
    return _find("reasoning_effort", _last_part(model)) is not None


def takes_prompt_cache_key(model: str) -> bool:
    """Whether a request may name the prompt for the provider's cache."""
    return _find("prompt_cache_key", _last_part(model)) is not None


@lru_cache(_NAMES_CACHED)
def always_searches(model: str) -> bool:
    """Whether the provider searches with every call, even if the request does not ask for it."""
    return _find("always_searches", _last_part(model)) is not None


class _Entry(NamedTuple):
    models: re.Pattern[str]
    facts: dict[str, Any]


def _find(table: str, name: str) -> dict[str, Any] | None:
    """The facts of the first entry that matches the beginning of `name`."""
    return next((entry.facts for entry in _tables()[table] if entry.models.match(name)), None)


def _last_part(model: str) -> str:
    return model.rsplit("/", 1)[-1].lower()


@cache
def _tables() -> dict[str, list[_Entry]]:
    return {
        table: [_Entry(re.compile(facts["models"]), facts) for facts in rows]
        for table, rows in _data().items()
        if table != "openai_hosts"
    }


@cache
def _openai_hosts() -> frozenset[str]:
    return frozenset(_data()["openai_hosts"])


@cache
def _data() -> dict[str, Any]:
    with _FILE.open("rb") as file:
        return tomllib.load(file)
