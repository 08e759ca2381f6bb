"""The service tier that an answer says it was served as, in the words of the price book."""

from typing import Any

import msgspec

from gateway.dialects.json_body import DECODE_ERRORS
from gateway.dialects.reported_usage import as_object

# What providers call the standard tier: OpenAI; Anthropic; Groq and Vertex AI.
_STANDARD = frozenset({"default", "standard", "standard_only", "on_demand"})
# Requests for these are served as standard or cheaper, also if the account is set to a dearer tier.
STANDARD_OR_CHEAPER = _STANDARD | {"flex"}
# Vertex AI's names of traffic.
_NAMES = {"on_demand_flex": "flex", "on_demand_priority": "priority"}
_LENGTH_MAX = 40


class _Answer(msgspec.Struct):
    service_tier: Any = None
    usage: Any = None
    usageMetadata: Any = None  # noqa: N815 - Gemini's name


_decode = msgspec.json.Decoder(_Answer).decode


def service_tier(value: Any) -> str:
    """The tier in the field of an answer; blank if the provider does not say one."""
    if not isinstance(value, str):
        return ""
    name = value.replace("\0", "").strip().lower()[:_LENGTH_MAX]
    if name in _STANDARD:
        return "standard"
    # How it was served does not follow from `auto`.
    return "" if name == "auto" else _NAMES.get(name, name)


def service_tier_of(body: bytes) -> str:
    """The tier that a whole answer says, in the places that providers use."""
    try:
        answer = _decode(body)
    except DECODE_ERRORS:
        return ""
    usage, google = as_object(answer.usage), as_object(answer.usageMetadata)
    found = (
        answer.service_tier,
        usage.get("service_tier"),
        google.get("serviceTier"),
        google.get("trafficType"),
    )
    return next((tier for value in found if (tier := service_tier(value))), "")
