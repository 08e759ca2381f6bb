"""Usage as OpenAI and the many who copied its API write it, as one `Usage`.

The totals decide; a part that is no count, or larger than its whole, is 0 (the whole is then paid
at the full rate). A call of zero tokens does not exist: zeros are what those write that do not
count. Three exceptions, because providers really write so:

- what `total_tokens` has above prompt and completion is output (Gemini's thoughts, xAI's
  reasoning);
- reasoning larger than the completion stands beside it (Perplexity), and is output too;
- cached tokens larger than the prompt stand beside it if the total says so, and are input.
"""

from decimal import Decimal
from typing import Any

from gateway.dialects.base import Reported
from gateway.dialects.reported_usage import as_object, cost, count, fitting, id_of, largest, part
from keys.services import Usage

_USD_PER_TICK = Decimal(10) ** -10


def usage_of(said: dict[str, Any]) -> Usage | None:
    """The usage of chat, responses or embeddings; None when it cannot be believed."""
    prompt = _first_count(said, "prompt_tokens", "input_tokens")
    completion = _first_count(said, "completion_tokens", "output_tokens")
    total = count(said.get("total_tokens"))
    if prompt is None:
        return Usage(total=total) if total else None
    if completion is None:
        # Embeddings have no completion; elsewhere the total must say it.
        if total is None or total < prompt:
            return None
        completion = total - prompt
    return _whole(said, prompt=prompt, completion=completion, total=total)


def reported_in(*places: Any, request_id: Any) -> Reported | None:
    """What the first place with a believable usage says; a place is a usage, or wraps one."""
    for place in places:
        said = as_object(place)
        said = as_object(said.get("usage", said))
        if (usage := usage_of(said)) and usage.tokens:
            return Reported(
                usage=usage, provider_cost=cost_of(said), provider_request_id=id_of(request_id)
            )
    return None


def cost_of(said: dict[str, Any]) -> Decimal | None:
    """The cost in USD if the provider says one: OpenRouter, Perplexity, xAI."""
    stated = said.get("cost")
    if isinstance(stated, dict):
        stated = stated.get("total_cost")
    if stated is None:
        return cost(said.get("cost_in_usd_ticks"), unit=_USD_PER_TICK)
    return cost(stated)


def _first_count(said: dict[str, Any], *names: str) -> int | None:
    return next((found for name in names if (found := count(said.get(name))) is not None), None)


def _whole(said: dict[str, Any], *, prompt: int, completion: int, total: int | None) -> Usage:
    read = said.get("prompt_tokens_details") or said.get("input_tokens_details")
    written = said.get("completion_tokens_details") or said.get("output_tokens_details")
    cached = largest(
        part(read, "cached_tokens"), said.get("cached_tokens"), said.get("prompt_cache_hit_tokens")
    )
    reasoning = largest(part(written, "reasoning_tokens"), said.get("reasoning_tokens"))
    if cached > prompt and total == prompt + cached + completion:
        prompt += cached
    output = _output(completion, reasoning, rest=(total or 0) - prompt - completion)
    cached = fitting(cached, whole=prompt)
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=fitting(
            largest(part(read, "cache_write_tokens")), whole=prompt - cached
        ),
        reasoning_tokens=reasoning or output - completion,
        audio_input_tokens=fitting(largest(part(read, "audio_tokens")), whole=prompt),
        audio_output_tokens=fitting(largest(part(written, "audio_tokens")), whole=output),
    )


def _output(completion: int, reasoning: int, *, rest: int) -> int:
    if rest > 0:
        return max(completion + rest, reasoning)
    return completion + reasoning if reasoning > completion else completion
