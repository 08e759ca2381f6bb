"""Usage as OpenAI and the providers with a copy of its API send it, as a `Usage`.

The totals decide; a part that is not a count, or larger than its whole, is 0, so that all of the
whole is charged at the full rate. A usage of zero tokens is not plausible: providers that do not
count send zeros. Three exceptions, seen at real providers:

- what `total_tokens` has above prompt and completion is output (Gemini's thoughts, xAI's
  reasoning);
- reasoning larger than the completion is not part of it (Perplexity) and is output, too;
- what was read from or written to the cache is not part of the prompt if the total says so
  (Bedrock), and is input.

`usage_names.toml` has the names of the counts and the places where they are.
"""

import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.dialects.base import UsageReport
from gateway.dialects.reported_usage import (
    as_object,
    cost,
    count,
    decode_fields,
    id_of,
    largest,
    part,
    part_within,
    searches,
    word,
)
from keys.services import Usage

_USD_PER_TICK = Decimal(10) ** -10
_NAMES = tomllib.loads(Path(__file__).with_name("usage_names.toml").read_text())
_COUNTS, _PARTS, _PLACES = _NAMES["counts"], _NAMES["parts"], _NAMES["places"]
_MODALITIES, _SEARCHES = _NAMES["modalities"], _NAMES["searches"]


def usage_of(values: dict[str, Any]) -> Usage | None:
    """The usage of chat, responses or embeddings; None when it is not plausible."""
    prompt, completion, total = _totals(values)
    if prompt is None:
        return Usage(total=total) if total else None
    if completion is None:
        # Embeddings have no completion; elsewhere it must follow from the total.
        if total is None or total < prompt:
            return None
        completion = total - prompt
    return _complete_usage(values, prompt=prompt, completion=completion, total=total)


def partial_usage(values: dict[str, Any]) -> Usage | None:
    """What a usage without all its totals still says: the input or the output; otherwise None."""
    prompt, completion, _ = _totals(values)
    usage = Usage(input_tokens=prompt or 0, output_tokens=completion or 0)
    return usage if usage.tokens else None


def usage_values(*places: Any) -> dict[str, Any]:
    """The values of the first usage that says anything; a place is a usage or contains one."""
    found = (values for place in places for values in _values_in(place))
    return next((values for values in found if usage_of(values) or partial_usage(values)), {})


def unusual_places(answer: dict[str, Any]) -> list[Any]:
    """Where an answer or a chunk can have its usage, besides `usage`."""
    choices = answer.get("choices")
    places = [
        as_object(each).get(name)
        for each in (choices if isinstance(choices, list) else ())
        for name in _PLACES["choice"]
    ]
    places += [answer.get(name) for name in _PLACES["objects"]]
    if any(name in answer for name in _PLACES["answer"]):
        places.append(answer)
    return places


def usage_report(*places: Any, request_id: Any) -> UsageReport | None:
    """The report in the first place with a plausible usage; a place is a usage or contains one."""
    for place in places:
        for values in _values_in(place):
            if report := report_of(values, request_id=request_id):
                return report
    return None


def unusual_report(body: bytes) -> UsageReport | None:
    """The report of a whole answer that has its usage in an unusual place."""
    answer = decode_fields(body)
    return usage_report(*unusual_places(answer), request_id=answer.get("id"))


def whole_answer_values(body: bytes) -> dict[str, Any]:
    """The values of the usage of a whole answer, wherever it is."""
    answer = decode_fields(body)
    return usage_values(answer.get("usage"), answer.get("x_groq"), *unusual_places(answer))


def report_of(values: dict[str, Any], *, request_id: Any) -> UsageReport | None:
    """The report in a usage; None when it is not plausible."""
    usage = usage_of(values)
    if usage is None or not usage.tokens:
        return None
    return UsageReport(
        usage=usage, provider_cost=cost_of(values), provider_request_id=id_of(request_id)
    )


def _values_in(place: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(place, dict):
        return
    yield place
    for name in _PLACES["wrappers"]:
        if isinstance(values := place.get(name), dict):
            yield values


def cost_of(values: dict[str, Any]) -> Decimal | None:
    """The cost in USD if the provider sends one: OpenRouter, Perplexity, xAI."""
    value = values.get("cost")
    if isinstance(value, dict):
        value = value.get("total_cost")
    if value is None:
        return cost(values.get("cost_in_usd_ticks"), unit=_USD_PER_TICK)
    return cost(value)


def _totals(values: dict[str, Any]) -> tuple[int | None, int | None, int | None]:
    """Prompt, completion and total, each if it is said; a prompt can follow from the others."""
    prompt = _first_count(values, _COUNTS["prompt"])
    completion = _first_count(values, _COUNTS["completion"])
    total = _first_count(values, _COUNTS["total"])
    if prompt is None and completion and total and total > completion:
        prompt = total - completion
    return prompt, completion, total


def _first_count(values: dict[str, Any], names: list[str]) -> int | None:
    return next((found for name in names if (found := count(values.get(name))) is not None), None)


def _complete_usage(
    values: dict[str, Any], *, prompt: int, completion: int, total: int | None
) -> Usage:
    input_details = values.get("prompt_tokens_details") or values.get("input_tokens_details")
    output_details = values.get("completion_tokens_details") or values.get("output_tokens_details")
    cached = largest(
        part(input_details, "cached_tokens"), *(values.get(name) for name in _PARTS["cached"])
    )
    reasoning = largest(
        part(output_details, "reasoning_tokens"),
        *(values.get(name) for name in _PARTS["reasoning"]),
    )
    writes = largest(
        part(input_details, "cache_write_tokens"),
        part(input_details, "cache_creation_tokens"),
        *(values.get(name) for name in _PARTS["writes"]),
    )
    if total == prompt + cached + writes + completion:
        prompt += cached + writes
    output = _output(completion, reasoning, rest=(total or 0) - prompt - completion)
    cached = part_within(cached, whole=prompt)
    writes = part_within(writes, whole=prompt - cached)
    audio_input, image_input = _media(input_details, values, "prompt", whole=prompt)
    audio_output, image_output = _media(output_details, values, "completion", whole=output)
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=writes,
        cache_write_long_tokens=part_within(_long_writes(input_details), whole=writes),
        reasoning_tokens=reasoning or output - completion,
        audio_input_tokens=audio_input,
        image_input_tokens=image_input,
        audio_output_tokens=audio_output,
        image_output_tokens=image_output,
        web_searches=searches(values, *_SEARCHES["counts"]),
        search_kind=word(values.get(_SEARCHES["kind"])),
    )


def _long_writes(details: Any) -> int:
    """Those that Claude keeps for an hour, as LiteLLM passes them on."""
    return largest(part(details, "cache_creation_token_details", "ephemeral_1h_input_tokens"))


def _media(details: Any, values: dict[str, Any], side: str, *, whole: int) -> tuple[int, int]:
    """The tokens of audio and of images that are part of `whole`."""
    by_modality = _modalities(values, _MODALITIES[side])
    audio = largest(part(details, "audio_tokens"), by_modality.get("AUDIO"))
    audio = part_within(audio, whole=whole)
    images = largest(part(details, "image_tokens"), by_modality.get("IMAGE"))
    return audio, part_within(images, whole=whole - audio)


def _modalities(values: dict[str, Any], names: list[str]) -> dict[Any, Any]:
    """Gemini's list of tokens by modality."""
    lists = (values.get(name) for name in names)
    found = next((each for each in lists if isinstance(each, list)), [])
    return {
        part(each, "modality"): largest(part(each, "tokenCount"), part(each, "token_count"))
        for each in found
        if isinstance(part(each, "modality"), str)
    }


def _output(completion: int, reasoning: int, *, rest: int) -> int:
    if rest > 0:
        return max(completion + rest, reasoning)
    return completion + reasoning if reasoning > completion else completion
