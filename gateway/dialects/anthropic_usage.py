"""Usage as Anthropic writes it, as one `Usage`: there cache reads and writes stand beside input."""

from typing import Any

from gateway.dialects.base import Reported
from gateway.dialects.reported_usage import cost, count, fitting, largest, part
from keys.services import Usage

_INPUT_KINDS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def usage_of(said: dict[str, Any]) -> Usage | None:
    """The usage of one message; None when it cannot be believed."""
    fresh, output = count(said.get("input_tokens")), count(said.get("output_tokens"))
    if fresh is None or output is None:
        return None
    short = largest(part(said, "cache_creation", "ephemeral_5m_input_tokens"))
    long = largest(part(said, "cache_creation", "ephemeral_1h_input_tokens"))
    read = largest(said.get("cache_read_input_tokens"))
    # The parts are the newer field; a provider that writes only one of both is believed.
    written = max(largest(said.get("cache_creation_input_tokens")), short + long)
    return Usage(
        input_tokens=fresh + read + written,
        output_tokens=output,
        cached_tokens=read,
        cache_write_tokens=written,
        cache_write_long_tokens=long,
        reasoning_tokens=fitting(
            largest(part(said, "output_tokens_details", "thinking_tokens")), whole=output
        ),
    )


def later(said: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    """The usage of a stream after one more event.

    Counts are of the whole stream so far. Some providers say the input only at the start, some only
    at the end, with a zero in the other place: the larger one is meant.
    """
    merged = {**said, **{name: value for name, value in update.items() if value is not None}}
    for name in _INPUT_KINDS:
        if name in said:
            merged[name] = largest(said[name], merged[name])
    return merged


def reported_in(said: dict[str, Any], *, request_id: str) -> Reported | None:
    """What a message's usage says; None when it cannot be believed. A call of zero tokens does not
    exist."""
    usage = usage_of(said)
    if usage is None or not usage.tokens:
        return None
    return Reported(
        usage=usage, provider_cost=cost(said.get("cost")), provider_request_id=request_id
    )
