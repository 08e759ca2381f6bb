"""Usage as OpenAI and the providers with a copy of its API send it, as a `Usage`.

The totals decide; a part that is not a count, or larger than its whole, is 0, so that all of the
whole is charged at the full rate. A usage of zero tokens is not plausible: providers that do not
count send zeros. Three exceptions, seen at real providers:

- what `total_tokens` has above prompt and completion is output (Gemini's thoughts, xAI's
  reasoning);
- reasoning larger than the completion is not part of it (Perplexity) and is output, too;
- cached tokens larger than the prompt are not part of it if the total says so, and are input.
"""

from decimal import Decimal
from typing import Any

from gateway.dialects.base import UsageReport
from gateway.dialects.reported_usage import (
    as_object,
    cost,
    count,
    id_of,
    largest,
    part,
    part_within,
)
from keys.services import Usage

_USD_PER_TICK = Decimal(10) ** -10


def usage_of(values: dict[str, Any]) -> Usage | None:
    """The usage of chat, responses or embeddings; None when it is not plausible."""
    prompt = _first_count(values, "prompt_tokens", "input_tokens")
    completion = _first_count(values, "completion_tokens", "output_tokens")
    total = count(values.get("total_tokens"))
    if prompt is None:
        return Usage(total=total) if total else None
    if completion is None:
        # Embeddings have no completion; elsewhere it must follow from the total.
        if total is None or total < prompt:
            return None
        completion = total - prompt
    return _complete_usage(values, prompt=prompt, completion=completion, total=total)


def usage_report(*places: Any, request_id: Any) -> UsageReport | None:
    """The report in the first place with a plausible usage; a place is a usage or contains one."""
    for place in places:
        outer = as_object(place)
        values = as_object(outer.get("usage", outer))
        if (usage := usage_of(values)) and usage.tokens:
            return UsageReport(
                usage=usage, provider_cost=cost_of(values), provider_request_id=id_of(request_id)
            )
    return None


def cost_of(values: dict[str, Any]) -> Decimal | None:
    """The cost in USD if the provider sends one: OpenRouter, Perplexity, xAI."""
    value = values.get("cost")
    if isinstance(value, dict):
        value = value.get("total_cost")
    if value is None:
        return cost(values.get("cost_in_usd_ticks"), unit=_USD_PER_TICK)
    return cost(value)


def _first_count(values: dict[str, Any], *names: str) -> int | None:
    return next((number for name in names if (number := count(values.get(name))) is not None), None)


def _complete_usage(
    values: dict[str, Any], *, prompt: int, completion: int, total: int | None
) -> Usage:
    input_details = values.get("prompt_tokens_details") or values.get("input_tokens_details")
    output_details = values.get("completion_tokens_details") or values.get("output_tokens_details")
    cached = largest(
        part(input_details, "cached_tokens"),
        values.get("cached_tokens"),
        values.get("prompt_cache_hit_tokens"),
    )
    reasoning = largest(part(output_details, "reasoning_tokens"), values.get("reasoning_tokens"))
    if cached > prompt and total == prompt + cached + completion:
        prompt += cached
    output = _output(completion, reasoning, rest=(total or 0) - prompt - completion)
    cached = part_within(cached, whole=prompt)
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=part_within(
            largest(part(input_details, "cache_write_tokens")), whole=prompt - cached
        ),
        reasoning_tokens=reasoning or output - completion,
        audio_input_tokens=part_within(largest(part(input_details, "audio_tokens")), whole=prompt),
        audio_output_tokens=part_within(
            largest(part(output_details, "audio_tokens")), whole=output
        ),
    )


def _output(completion: int, reasoning: int, *, rest: int) -> int:
    if rest > 0:
        return max(completion + rest, reasoning)
    return completion + reasoning if reasoning > completion else completion
