"""The fewest tokens with which the gateway lets a call in."""

from collections.abc import Mapping
from typing import Any

import msgspec
from django.conf import settings
from msgspec import Raw

from gateway import bounds
from gateway.counts.routes import count_route
from gateway.refusals import CannotBeBounded, InvalidRequest
from keys.supply.model_facts import ModelFacts

_BOUNDS = {"/chat/completions": bounds.chat_input_max, "/messages": bounds.messages_input_max}


def least_tokens(
    fields: Mapping[str, Any], *, path: str, provider: str, facts: ModelFacts
) -> int | None:
    """The bound of the input and the shortest answer, in tokens; no call is made.

    None if that is not known before the call: the provider counts it itself, or it cannot be
    bounded.
    """
    route = count_route(provider, path)
    if path not in _BOUNDS or (route is not None and not route.only_files):
        return None
    # As they arrive: some bounds are those of the bytes.
    raw = {name: Raw(msgspec.json.encode(value)) for name, value in fields.items()}
    try:
        return _BOUNDS[path](raw, model=facts) + settings.OUTPUT_TOKENS_MIN
    except (CannotBeBounded, InvalidRequest):
        return None
