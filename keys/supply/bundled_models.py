"""The models that the bundled data knows of a provider: names, limits, what they answer with."""

import re
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, NamedTuple

import genai_prices
from genai_prices import data_snapshot
from genai_prices import types as genai
from genai_prices.types import ModelInfo

from keys.supply.model_facts import columns_of, facts_by_name, find, last_part
from keys.supply.pricing.bundled import bundled_provider_id

DATA = "genai-prices"
SOURCE = f"{DATA} {genai_prices.__version__}"
# How alike the name of a model must be to be meant.
_ALIKE_MIN = 0.8
# Any moment: whether a model has a price for output does not depend on it.
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# PostgreSQL and Python read both sides of these in the same way.
_SPECIAL = re.compile(r"([^a-z0-9_])")


class BundledModel(NamedTuple):
    """A model as `CatalogueModel` keeps it."""

    name: str
    aliases: list[str]
    pattern: str
    context_tokens: int | None
    output_tokens_max: int | None
    outputs: list[str]


@lru_cache(maxsize=100)
def bundled_models(provider: str) -> list[BundledModel]:
    """Every model of the provider `provider` (its slug) in the bundled data, by name."""
    wanted = bundled_provider_id(provider)
    found = [p for p in data_snapshot.get_snapshot().providers if p.id == wanted]
    return sorted(_bundled(model) for p in found for model in p.models)


def bundled_model(provider: str, name: str) -> BundledModel:
    """What the bundled data knows of one model by the name a key gives it; perhaps nothing."""
    models = bundled_models(provider)
    if known := next((model for model in models if model.name == name), None):
        return known
    version = next((model for model in models if _means(model, name.lower())), None)
    # A version of a model has its limits, but is no other name for it.
    return (version or BundledModel("", [], "", None, *_facts(name)))._replace(
        name=name, aliases=[], pattern=""
    )


def resembled_model(provider: str, name: str) -> str | None:
    """The provider's model that was perhaps meant by a name that is none; None if none is like it.

    `openai/gpt-4.1` is how other services name `gpt-4.1` of OpenAI.
    """
    names = [model.name for model in bundled_models(provider)]
    bare = name.lower().removeprefix(f"{bundled_provider_id(provider)}/")
    return next(iter(get_close_matches(bare, names, n=1, cutoff=_ALIKE_MIN)), None)


def bundled_columns(model: BundledModel) -> dict[str, Any]:
    """Everything the bundled data says of a model, as columns of `CatalogueModel`."""
    return model._asdict() | columns_of(facts_by_name(model.name))


def _means(model: BundledModel, name: str) -> bool:
    return name in model.aliases or bool(model.pattern and re.fullmatch(model.pattern, name))


def _bundled(model: ModelInfo) -> BundledModel:
    names, patterns = _names(model.match)
    output_tokens_max, outputs = _facts(model.id)
    if not outputs and getattr(model.get_prices(_EPOCH), "output_mtok", None) is not None:
        outputs = ["text"]
    return BundledModel(
        model.id,
        sorted(names - {model.id}),
        "|".join(sorted(patterns)),
        model.context_window,
        output_tokens_max,
        outputs,
    )


def _names(match: Any) -> tuple[set[str], set[str]]:
    """A match as whole names, and as expressions for others."""
    if isinstance(match, genai.ClauseEquals):
        return {match.equals.lower()}, set()
    if isinstance(match, genai.ClauseOr):
        parts = [_names(part) for part in match.or_]
        return set().union(*(names for names, _ in parts)), set().union(*(p for _, p in parts))
    return set(), {_expression(match)}


def _expression(match: Any) -> str:
    """An expression for the whole name that holds where `match` does."""
    if isinstance(match, genai.ClauseStartsWith):
        return f"{_escape(match.starts_with)}.*"
    if isinstance(match, genai.ClauseEndsWith):
        return f".*{_escape(match.ends_with)}"
    if isinstance(match, genai.ClauseContains):
        return f".*{_escape(match.contains)}.*"
    if isinstance(match, genai.ClauseEquals):
        return _escape(match.equals)
    if isinstance(match, genai.ClauseRegex):
        return _whole(match.regex)
    if isinstance(match, genai.ClauseAnd):
        return "".join(f"(?={_expression(part)}$)" for part in match.and_) + ".*"
    if isinstance(match, genai.ClauseOr):
        return f"({'|'.join(_expression(part) for part in match.or_)})"
    raise TypeError(f"{match!r} is not a match that is known.")


def _whole(regex: str) -> str:
    """An expression for the whole name, from one that is searched in it."""
    before = "" if regex.startswith("^") else ".*"
    after = "" if regex.endswith("$") else ".*"
    return f"{before}(?:{regex.removeprefix('^').removesuffix('$')}){after}"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text.lower())


def _facts(name: str) -> tuple[int | None, list[str]]:
    bare = last_part(name)
    tokens = find("output_tokens_max", bare)
    outputs = find("outputs", bare)
    return (
        tokens["tokens"] if tokens and not outputs else None,
        outputs["outputs"] if outputs else ["text"] if tokens else [],
    )
