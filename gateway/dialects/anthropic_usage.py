"""Anthropic's usage as a `Usage`. Its cache reads and writes are not part of its input."""

from typing import Any

from gateway.dialects.base import UsageReport
from gateway.dialects.reported_usage import cost, count, largest, part, part_within, searches
from keys.services import Usage

# Required by the API; clients that leave it out get this version.
DEFAULT_HEADERS = (("anthropic-version", "2023-06-01"),)
_SEARCHES = ["server_tool_use", "web_search_requests"]


def usage_of(values: dict[str, Any]) -> Usage | None:
    """The usage of one message; None when it is not plausible."""
    uncached, output = count(values.get("input_tokens")), count(values.get("output_tokens"))
    if uncached is None or output is None:
        return None
    short = largest(part(values, "cache_creation", "ephemeral_5m_input_tokens"))
    long = largest(part(values, "cache_creation", "ephemeral_1h_input_tokens"))
    reads = largest(values.get("cache_read_input_tokens"))
    # The parts are the newer field; some providers send only one of both.
    writes = max(largest(values.get("cache_creation_input_tokens")), short + long)
    thinking = largest(part(values, "output_tokens_details", "thinking_tokens"))
    return Usage(
        input_tokens=uncached + reads + writes,
        output_tokens=output,
        cached_tokens=reads,
        cache_write_tokens=writes,
        cache_write_long_tokens=long,
        reasoning_tokens=part_within(thinking, whole=output),
        web_searches=searches(values, _SEARCHES),
    )


def partial_usage(values: dict[str, Any]) -> Usage | None:
    """What a usage without input or without output still says; None if it says nothing."""
    usage = usage_of({"input_tokens": 0, "output_tokens": 0, **_without_nonsense(values)})
    return usage if usage and usage.tokens else None


def _without_nonsense(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, dict) or count(value) is not None
    }


def usage_report(values: dict[str, Any], *, request_id: str) -> UsageReport | None:
    """The report in a message's usage; None when it is not plausible, as zero tokens are not."""
    usage = usage_of(values)
    if usage is None or not usage.tokens:
        return None
    return UsageReport(
        usage=usage, provider_cost=cost(values.get("cost")), provider_request_id=request_id
    )
