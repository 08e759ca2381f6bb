"""What providers report, in the words of their documentation, costs what their price lists say.

Each bill is calculated by hand from published prices, US dollars per million tokens.
"""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from gateway import dialects
from keys.models import Price
from keys.services import Usage
from keys.supply.pricing import NO_FEES, RATE_NAMES, default_rates, tiers_as_json, variants_as_json

NOVEMBER = datetime(2026, 11, 1, 12, tzinfo=UTC)
GEMINI_LONG = {"prompt_tokens": 250_000, "completion_tokens": 1_000, "total_tokens": 252_500}
SONNET = {"input_tokens": 2_048, "cache_read_input_tokens": 1_800, "output_tokens": 503}
ROUTED = {"prompt_tokens": 194, "completion_tokens": 2, "total_tokens": 196}
CHAT, RESPONSES, MESSAGES = dialects.CHAT, dialects.RESPONSES, dialects.MESSAGES


def bill(provider, model, usage, *, dialect=CHAT, at=NOVEMBER, **fields):
    """What an answer with this usage costs."""
    answer = msgspec.json.encode({"id": "a", "usage": usage, **fields})
    return dialect.usage_report(answer).usage.cost(price_of(provider, model), at=at)


def price_of(provider, model):
    """The bundled price of a model."""
    rates = default_rates(provider, model, at=NOVEMBER)
    return Price(
        provider_id=provider,
        **dict(zip(RATE_NAMES, rates.all, strict=True)),
        **{name: getattr(rates, name) for name in NO_FEES},
        tiers=tiers_as_json(rates.tiers),
        variants=variants_as_json(rates.variants),
    )


def of(prompt, completion, **fields):
    """A usage in OpenAI's format."""
    total = prompt + completion
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        **fields,
    }


@pytest.mark.parametrize(
    ("provider", "model", "usage", "cost"),
    [
        # 86 × 2.50 + 1,920 × 1.25 + 300 × 10
        (
            "openai",
            "gpt-4o",
            of(2_006, 300, prompt_tokens_details={"cached_tokens": 1_920}),
            "0.005615",
        ),
        # 150,000 × 2.50 + 100,000 × 0.25 + 2,500 × 15: a long prompt; thoughts are in the total
        (
            "google",
            "gemini-2.5-pro",
            GEMINI_LONG | {"prompt_tokens_details": {"cached_tokens": 100_000}},
            "0.4375",
        ),
        # 400 × 0.30 + 600 × 1 + 100 × 2.50
        (
            "google",
            "gemini-2.5-flash",
            of(1_000, 100, prompt_tokens_details={"audio_tokens": 600}),
            "0.00097",
        ),
        # 1,234 × 2 + 567 × 6
        ("mistral", "mistral-large-latest", of(1_234, 567), "0.00587"),
        # 600 × 0.15 + 400 × 0.015 + 100 × 0.60
        (
            "mistral",
            "mistral-small-latest",
            of(1_000, 100, prompt_tokens_details={"cached_tokens": 400}),
            "0.000156",
        ),
        # 26 × 3 + 6 × 0.75 + 103 × 15: reasoning stands beside the completion
        (
            "x-ai",
            "grok-4",
            {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135}
            | {"prompt_tokens_details": {"cached_tokens": 6}}
            | {"completion_tokens_details": {"reasoning_tokens": 94}},
            "0.0016275",
        ),
        # 976 × 0.15 + 1,024 × 0.075 + 500 × 0.60
        (
            "groq",
            "openai/gpt-oss-120b",
            of(2_000, 500, prompt_tokens_details={"cached_tokens": 1_024}),
            "0.0005232",
        ),
        # 744 × 0.60 + 256 × 0.15 + 100 × 2.50
        ("moonshotai", "kimi-k2-0905-preview", of(1_000, 100, cached_tokens=256), "0.0007348"),
        # 150 × 0.88
        ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", of(100, 50), "0.000132"),
        # 44 × 3 + 100 × 0.30 + 50 × 3.75 + 2 × 15
        (
            "openrouter",
            "anthropic/claude-sonnet-4",
            of(194, 2, prompt_tokens_details={"cached_tokens": 100, "cache_write_tokens": 50}),
            "0.0003795",
        ),
        # 100 × 2.50 + 40 × 10
        (
            "cohere",
            "command-a-03-2025",
            {"billed_units": {"input_tokens": 100, "output_tokens": 40}},
            "0.00065",
        ),
        # 1,000 × 0.85 + 1 × 1.20
        ("cerebras", "llama-3.3-70b", of(1_000, 1), "0.0008512"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_chat_costs_what_the_price_list_says(provider, model, usage, cost):
    assert bill(provider, model, usage) == Decimal(cost)


def test_a_response_of_openai_pays_for_its_reasoning():
    # 75 × 1.25 + 1,186 × 10
    usage = {"input_tokens": 75, "input_tokens_details": {"cached_tokens": 0}}
    usage |= {"output_tokens": 1_186, "output_tokens_details": {"reasoning_tokens": 1_024}}
    usage |= {"total_tokens": 1_261}
    assert bill("openai", "gpt-5", usage, dialect=RESPONSES) == Decimal("0.01195375")


def test_embeddings_of_openai_cost_their_input():
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    cost = bill("openai", "text-embedding-3-small", usage, dialect=dialects.EMBEDDINGS)
    assert cost == Decimal("0.00000016")


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        # 2,048 × 3 + 1,800 × 0.30 + 148 × 3.75 + 100 × 6 + 503 × 15
        (
            SONNET
            | {"cache_creation_input_tokens": 248}
            | {
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 148,
                    "ephemeral_1h_input_tokens": 100,
                }
            },
            "0.015384",
        ),
        # 11,350 × 6 + 50 × 15: all kept for an hour
        (
            {"input_tokens": 0, "output_tokens": 50, "cache_creation_input_tokens": 11_350}
            | {"cache_creation": {"ephemeral_1h_input_tokens": 11_350}},
            "0.06885",
        ),
        # 2,048 × 3 + 1,800 × 0.30 + 248 × 3.75 + 503 × 15: only the total of the writes
        (SONNET | {"cache_creation_input_tokens": 248}, "0.015159"),
        # 200,000 × 6 + 1 × 6 + 10 × 22.50: a long prompt
        ({"input_tokens": 200_001, "output_tokens": 10}, "1.200231"),
    ],
)
def test_a_message_of_anthropic_costs_what_the_price_list_says(usage, cost):
    assert bill("anthropic", "claude-sonnet-4-5", usage, dialect=MESSAGES) == Decimal(cost)


@pytest.mark.parametrize(
    ("details", "cost"),
    [
        # 44 × 3 + 100 × 0.30 + 50 × 3.75 + 2 × 15
        ({"cache_creation_tokens": 50}, "0.0003795"),
        # 44 × 3 + 100 × 0.30 + 30 × 3.75 + 20 × 6 + 2 × 15
        (
            {"cache_creation_tokens": 50}
            | {
                "cache_creation_token_details": {
                    "ephemeral_5m_input_tokens": 30,
                    "ephemeral_1h_input_tokens": 20,
                }
            },
            "0.0004245",
        ),
    ],
)
def test_cache_writes_of_claude_are_read_in_openais_format_too(details, cost):
    usage = ROUTED | {"prompt_tokens_details": {"cached_tokens": 100} | details}
    assert bill("anthropic", "claude-sonnet-4-5", usage) == Decimal(cost)


@pytest.mark.parametrize(
    ("hour", "cost"),
    [
        # 360 × 0.27 + 640 × 0.07 + 200 × 1.10
        (12, "0.000362"),
        # 360 × 0.135 + 640 × 0.035 + 200 × 0.55
        (20, "0.000181"),
    ],
)
def test_deepseek_is_cheaper_at_night(hour, cost):
    usage = of(1_000, 200, prompt_cache_hit_tokens=640, prompt_cache_miss_tokens=360)
    at = NOVEMBER.replace(hour=hour)
    assert bill("deepseek", "deepseek-chat", usage, at=at) == Decimal(cost)


SEARCHED = {"input_tokens": 105, "output_tokens": 6_039, "cache_read_input_tokens": 7_123}
SEARCHED |= {"cache_creation_input_tokens": 7_345}
RESPONSE = {"input_tokens": 8_439, "output_tokens": 100, "total_tokens": 8_539}


@pytest.mark.parametrize(
    ("searches", "cost"),
    [
        # 105 × 3 + 7,123 × 0.30 + 7,345 × 3.75 + 6,039 × 15, and 10 for 1,000 searches:
        # https://platform.claude.com/docs/en/about-claude/pricing#web-search-tool
        (0, "0.12058065"),
        (1, "0.13058065"),
        (5, "0.17058065"),
    ],
)
def test_a_search_of_claude_costs_a_cent(searches, cost):
    usage = SEARCHED | {"server_tool_use": {"web_search_requests": searches}}
    assert bill("anthropic", "claude-sonnet-4-5", usage, dialect=MESSAGES) == Decimal(cost)


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        # 8,439 × 1.25 + 100 × 10, and 2 searches at 10 for 1,000:
        # https://platform.openai.com/docs/pricing#built-in-tools
        ("gpt-5", "0.03154875"),
        # 8,439 × 0.40 + 100 × 1.60, and 2 searches
        ("gpt-4.1-mini", "0.0235356"),
    ],
)
def test_a_response_pays_for_its_searches_but_not_for_opened_pages(model, cost):
    search = {"type": "web_search_call", "status": "completed", "action": {"type": "search"}}
    opened = search | {"action": {"type": "open_page"}}
    items = [search, opened, search]
    assert bill("openai", model, RESPONSE, dialect=RESPONSES, output=items) == Decimal(cost)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "cost"),
    [
        # 1,000 × 2.50 + 100 × 10, and 25 for 1,000 requests:
        # https://platform.openai.com/docs/pricing#built-in-tools
        ("openai", "gpt-4o-search-preview", of(1_000, 100), "0.0285"),
        # 1,000 × 0.15 + 100 × 0.60, and the same
        ("openai", "gpt-4o-mini-search-preview", of(1_000, 100), "0.02521"),
        # 26 × 1 + 832 × 1, and 5, 8 or 12 for 1,000 requests; the first is Perplexity's own bill:
        # https://docs.perplexity.ai/getting-started/pricing
        ("perplexity", "sonar", of(26, 832, search_context_size="low"), "0.005858"),
        ("perplexity", "sonar", of(26, 832, search_context_size="medium"), "0.008858"),
        ("perplexity", "sonar", of(26, 832, search_context_size="high"), "0.012858"),
        ("perplexity", "sonar", of(26, 832), "0.012858"),
        # 100 × 3 + 10 × 15, and 6 or 14
        ("perplexity", "sonar-pro", of(100, 10, search_context_size="low"), "0.00645"),
        ("perplexity", "sonar-pro", of(100, 10, search_context_size="high"), "0.01445"),
        # 1,000 × 2 + 100 × 8, and 18 searches at 5 for 1,000
        (
            "perplexity",
            "sonar-deep-research",
            of(1_000, 100, num_search_queries=18),
            "0.0928",
        ),
        # 1,000 × 0.10 + 20 × 0.50, and 2 searches at 10 for 1,000
        (
            "openrouter",
            "anthropic/claude-haiku-5.5",
            of(1_000, 20, server_tool_use={"web_search_requests": 2}),
            "0.02011",
        ),
    ],
)
def test_a_chat_pays_for_its_request_and_its_searches(provider, model, usage, cost):
    assert bill(provider, model, usage) == Decimal(cost)


def test_a_call_without_tokens_pays_for_no_request():
    assert Usage().cost(price_of("perplexity", "sonar"), at=NOVEMBER) == 0
