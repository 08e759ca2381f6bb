"""A call costs what the tier costs that the provider says it was served as; images what they do."""

from decimal import Decimal

import pytest

from keys.models import ApiKey
from tests.gateway.provider import ask, piece, stream_of, whole

__all__ = ["ask"]
pytestmark = pytest.mark.django_db(transaction=True)
RESPONSES, MESSAGES = "/v1/responses", "/v1/messages"
CHAT_USAGE = {"prompt_tokens": 1000, "completion_tokens": 30, "total_tokens": 1030}
USAGE = {"input_tokens": 1000, "output_tokens": 30}
CHOICE = {"index": 0, "message": {"content": "ok"}, "finish_reason": "stop"}
MOST = {"max_tokens": 2000}
OPENAI = {"provider": "openai", "model": "gpt-5", "rates": None}
GPT_5 = {**OPENAI, **MOST}
GPT_5_RESPONSE = {**OPENAI, "path": RESPONSES, "max_output_tokens": 2000}


def chat(**fields):
    """A whole answer of 1,000 and 30 tokens."""
    return whole(id="c-1", choices=[CHOICE], usage=CHAT_USAGE, **fields)


def chat_stream(*tiers, **usage):
    """A stream whose chunks say these tiers."""
    chunks = [piece("ok", "stop") | {"service_tier": tier} for tier in tiers]
    return stream_of(*chunks, {"choices": [], "usage": CHAT_USAGE | usage}, b"data: [DONE]\n\n")


# 1,000 × 1.25 and 30 × 10 US dollars per million: standard 0.00155.
@pytest.mark.parametrize(
    ("said", "tier", "cost"),
    [
        ({"service_tier": "flex"}, "flex", "0.000775"),
        ({"service_tier": "default"}, "standard", "0.00155"),
        ({"service_tier": "priority"}, "priority", "0.0031"),
        ({"service_tier": "fast"}, "fast", "0.0031"),
        ({"service_tier": "batch"}, "batch", "0.000775"),
        ({"service_tier": "auto"}, "", "0.00155"),
        ({"service_tier": "scale"}, "scale", "0.00155"),
        ({"service_tier": "Priority"}, "priority", "0.0031"),
        ({"service_tier": None}, "", "0.00155"),
        ({"service_tier": 5}, "", "0.00155"),
        ({}, "", "0.00155"),
    ],
)
def test_a_chat_costs_what_its_tier_costs(ask, said, tier, cost):
    result = ask(chat(**said), **GPT_5)
    assert (result.charge.service_tier, result.charge.cost) == (tier, Decimal(cost))
    assert result.answer.headers["x-butler-cost"] == f"{Decimal(cost):.9f}"


@pytest.mark.parametrize(
    ("tiers", "cost"),
    [(["flex", "flex"], "0.000775"), ([None, "priority"], "0.0031"), ([None], "0.00155")],
)
def test_a_stream_costs_what_its_tier_costs(ask, tiers, cost):
    result = ask(chat_stream(*tiers), stream=True, **GPT_5)
    assert result.charge.cost == Decimal(cost)


def test_a_usage_may_say_the_tier(ask):
    result = ask(chat_stream(None, service_tier="flex"), stream=True, **GPT_5)
    assert (result.charge.service_tier, result.charge.cost) == ("flex", Decimal("0.000775"))


def test_a_response_costs_what_the_tier_costs_that_it_ends_with(ask):
    first = {"id": "r-1", "service_tier": "auto", "usage": None}
    last = {"id": "r-1", "service_tier": "priority", "usage": USAGE | {"total_tokens": 1030}}
    events = (
        {"type": "response.created", "response": first},
        {"type": "response.output_text.delta", "delta": "ok"},
        {"type": "response.completed", "response": last},
    )
    result = ask(stream_of(*events), stream=True, **GPT_5_RESPONSE)
    assert (result.charge.service_tier, result.charge.cost) == ("priority", Decimal("0.0031"))


def test_a_whole_response_costs_what_its_tier_costs(ask):
    body = whole(id="r-1", output=[{}], service_tier="flex", usage=USAGE | {"total_tokens": 1030})
    result = ask(body, **GPT_5_RESPONSE)
    assert (result.charge.service_tier, result.charge.cost) == ("flex", Decimal("0.000775"))


# Anthropic's Claude Haiku 4.5: 1 and 5 US dollars per million, half in a batch. Its priority tier
# is bought in advance, so no price of it is published.
@pytest.mark.parametrize(
    ("tier", "cost"), [("standard", "0.00115"), ("batch", "0.000575"), ("priority", "0.00115")]
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_message_costs_what_its_tier_costs(ask, stream, tier, cost):
    usage = USAGE | {"service_tier": tier}
    body = whole(id="m-1", content=[{"type": "text", "text": "ok"}], usage=usage)
    if stream:
        body = stream_of(
            {"type": "message_start", "message": {"id": "m-1", "usage": usage}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE},
            {"type": "message_stop"},
        )
    terms = {"provider": "anthropic", "model": "claude-haiku-4-5", "rates": None, **MOST}
    result = ask(body, path=MESSAGES, stream=stream, **terms)
    assert (result.charge.service_tier, result.charge.cost) == (tier, Decimal(cost))


@pytest.mark.parametrize(
    ("provider", "model", "tier", "cost"),
    [
        # Without rates of its own, flex is half of the standard price (OpenAI, Google, Bedrock).
        ("google", "gemini-2.5-flash", "flex", "0.0001875"),
        ("google", "gemini-2.5-flash", "standard", "0.000375"),
        # Groq: on-demand and flex cost the same.
        ("groq", "llama-3.3-70b-versatile", "on_demand", "0.0006137"),
        ("groq", "llama-3.3-70b-versatile", "flex", "0.0006137"),
        ("x-ai", "grok-3", "default", "0.00345"),
    ],
)
def test_other_providers_say_their_tier_too(ask, provider, model, tier, cost):
    result = ask(chat(service_tier=tier), provider=provider, model=model, rates=None, **MOST)
    assert result.charge.cost == Decimal(cost)


def test_rates_of_the_operator_are_those_of_the_standard_tier(ask):
    # 1,000 × 0.003 + 30 × 0.015, half of it
    result = ask(chat(service_tier="flex"), provider="nvidia", **MOST)
    assert (result.charge.service_tier, result.charge.cost) == ("flex", Decimal("0.001725"))


def test_what_is_only_estimated_costs_what_its_tier_costs(ask):
    body = whole(id="c-1", choices=[CHOICE], service_tier="flex")
    charge = ask(body, **GPT_5).charge
    standard = charge.input_tokens * Decimal("0.00000125") + charge.output_tokens * Decimal(
        "0.00001"
    )
    assert (charge.basis, charge.service_tier) == ("estimated", "flex")
    assert abs(charge.cost - standard / 2) < Decimal("1e-8")


@pytest.mark.parametrize(
    ("asked", "rate"),
    [
        ({}, "0.00002"),
        ({"service_tier": "auto"}, "0.00002"),
        ({"service_tier": None}, "0.00002"),
        ({"service_tier": "default"}, "0.00001"),
        ({"service_tier": "flex"}, "0.00001"),
    ],
)
def test_what_is_held_is_the_dearest_tier_that_can_be_served(ask, asked, rate):
    charge = ask(chat(service_tier="default"), **GPT_5, **asked).charge
    assert charge.held_cost == charge.held_tokens * Decimal(rate)
    assert ApiKey.objects.get().price.token_cost_max == Decimal("0.00002")


def test_an_image_costs_what_google_publishes(ask):
    usage = {"prompt_tokens": 0, "completion_tokens": 1300, "total_tokens": 1300}
    usage["completion_tokens_details"] = {"image_tokens": 1290}
    terms = {"provider": "google-2", "model": "gemini-2.5-flash-image", "rates": None}
    body = whole(id="c-1", choices=[CHOICE], usage=usage)
    charge = ask(body, max_tokens=1300, **terms).charge
    # 1,290 × 30 + 10 × 2.5, per million
    assert (charge.image_output_tokens, charge.cost) == (1290, Decimal("0.038725"))
    assert charge.held_cost >= charge.cost
