"""Costs are exact, rounded once, and never above the bound that was held for them."""

from decimal import Decimal, localcontext

import pytest
from genai_prices import data_snapshot
from hypothesis import given
from hypothesis import strategies as st

from keys.pricing import Rates, bound, cost, default_rates, rates_as_json, rates_from_json

GPT_4O = Rates(input=Decimal("0.0025"), cached=Decimal("0.00125"), output=Decimal("0.01"))
SONNET = Rates(
    input=Decimal("0.003"),
    cached=Decimal("0.0003"),
    cache_write=Decimal("0.00375"),
    output=Decimal("0.015"),
)
RATE = st.decimals(0, 10**6, places=9)
RATES = st.builds(Rates, input=RATE, output=RATE, cached=RATE, cache_write=RATE)
COUNT = st.integers(0, 10**12)


def test_input_and_output_have_their_own_rates():
    # 1,000 × 0.0025 / 1,000 + 500 × 0.01 / 1,000
    assert cost(GPT_4O, input_tokens=1000, output_tokens=500) == Decimal("0.0075")


def test_cached_tokens_are_part_of_the_input():
    # 400 × 0.0025 + 600 × 0.00125 + 500 × 0.01, all / 1,000
    spent = cost(GPT_4O, input_tokens=1000, cached_tokens=600, output_tokens=500)
    assert spent == Decimal("0.00675")


def test_cache_writes_are_part_of_the_input_and_may_cost_more():
    # 10 × 0.003 + 90 × 0.0003 + 900 × 0.00375 + 1 × 0.015, all / 1,000
    spent = cost(
        SONNET, input_tokens=1000, cached_tokens=90, cache_write_tokens=900, output_tokens=1
    )
    assert spent == Decimal("0.003447")


def test_reasoning_tokens_are_part_of_the_output():
    assert cost(GPT_4O, input_tokens=0, output_tokens=70, reasoning_tokens=70) == Decimal("0.0007")


def test_a_cost_has_nine_places_and_is_rounded_once_half_up():
    rates = Rates(input=Decimal("0.0000004"), output=Decimal("0.0000005"))
    assert cost(rates, input_tokens=1, output_tokens=0) == 0
    assert cost(rates, input_tokens=0, output_tokens=1) == Decimal("0.000000001")
    # 0.4 × 2 is 0.8 and 0.4 × 3 + 0.5 is 1.7 billionths; tokens rounded one by one would be 0.
    assert cost(rates, input_tokens=2, output_tokens=0) == Decimal("0.000000001")
    assert cost(rates, input_tokens=3, output_tokens=1) == Decimal("0.000000002")
    assert cost(GPT_4O, input_tokens=1, output_tokens=0).as_tuple().exponent == -9


def test_the_bound_is_the_dearest_rate_rounded_up():
    assert bound(GPT_4O, 1000) == Decimal("0.01")
    assert bound(SONNET, 7) == Decimal("0.000105")
    assert bound(Rates(input=Decimal("0.0000001"), output=Decimal(0)), 1) == Decimal("1e-9")
    assert bound(GPT_4O, 0) == 0


def test_a_rate_that_is_not_given_is_that_of_input():
    assert GPT_4O.cache_write == GPT_4O.input
    rates = Rates(input=Decimal(2), output=Decimal(1))
    assert cost(rates, input_tokens=10, cached_tokens=10, output_tokens=0) == Decimal("0.02")


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"cached_tokens": 11}, "more than the input"),
        ({"cached_tokens": 6, "cache_write_tokens": 5}, "more than the input"),
        ({"reasoning_tokens": 6}, "more than the output"),
        ({"cached_tokens": -1}, "below zero"),
        ({"reasoning_tokens": -1}, "below zero"),
        ({"output_tokens": -1, "reasoning_tokens": -1}, "more than the output"),
        ({"cache_write_tokens": 2, "cache_write_long_tokens": 3}, "for an hour are more"),
        ({"cache_write_tokens": -1, "cache_write_long_tokens": -1}, "below zero"),
        ({"cache_write_long_tokens": -1}, "below zero"),
        ({"audio_input_tokens": 11}, "more than the input"),
        ({"audio_input_tokens": -1}, "below zero"),
        ({"audio_output_tokens": 6}, "more than the output"),
        ({"audio_output_tokens": -1}, "below zero"),
        ({"unknown_tokens": -1}, "below zero"),
        ({"input_tokens": -1}, "more than the input"),
    ],
)
def test_a_part_that_is_more_than_its_whole_is_wrong(counts, sentence):
    with pytest.raises(ValueError, match=sentence):
        cost(GPT_4O, **({"input_tokens": 10, "output_tokens": 5} | counts))


def test_a_bound_of_less_than_nothing_is_wrong():
    with pytest.raises(ValueError, match="below zero"):
        bound(GPT_4O, -1)


@given(RATES, COUNT, COUNT, COUNT, COUNT)
def test_no_split_of_the_tokens_costs_more_than_the_bound(rates, fresh, cached, written, output):
    spent = cost(
        rates,
        input_tokens=fresh + cached + written,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
    )
    assert 0 <= spent <= bound(rates, fresh + cached + written + output)


@given(RATES, COUNT, COUNT)
def test_the_precision_of_the_caller_does_not_matter(rates, input_tokens, output_tokens):
    counts = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    with localcontext(prec=3):
        roughly = cost(rates, **counts), bound(rates, input_tokens)
    assert roughly == (cost(rates, **counts), bound(rates, input_tokens))


@given(RATES)
def test_rates_come_back_from_json_as_they_were(rates):
    stored = rates_as_json(rates)
    assert all(isinstance(rate, str) and "E" not in rate for rate in stored.values())
    assert rates_from_json(stored) == rates


def test_a_float_is_no_rate():
    with pytest.raises(TypeError):
        Rates(input=0.1, output=Decimal(1))
    with pytest.raises(TypeError):
        rates_from_json({"input": 0.1, "output": "1"})


@pytest.mark.parametrize("rate", ["-0.1", "NaN", "Infinity"])
def test_a_rate_below_zero_or_without_end_is_wrong(rate):
    with pytest.raises(ValueError, match="zero or more"):
        Rates(input=Decimal(1), output=Decimal(rate))


def test_defaults_are_the_prices_bundled_with_genai_prices(noon):
    assert default_rates("openai", "gpt-4o", at=noon) == GPT_4O
    assert default_rates("anthropic", "claude-sonnet-4-20250514", at=noon) == SONNET
    groq = default_rates("groq", "llama-3.3-70b-versatile", at=noon)
    assert groq == Rates(input=Decimal("0.00059"), output=Decimal("0.00079"))
    assert default_rates("openrouter", "anthropic/claude-sonnet-4", at=noon) == SONNET


def test_the_price_of_a_short_prompt_is_the_default_where_there_are_tiers(noon):
    rates = default_rates("google", "gemini-2.5-pro", at=noon)
    assert (rates.input, rates.output) == (Decimal("0.00125"), Decimal("0.01"))


@pytest.mark.parametrize("provider", ["openai", "OpenAI", " openai ", "openai-2"])
def test_a_provider_goes_by_several_names(provider, noon):
    assert default_rates(provider, "gpt-4o", at=noon) == GPT_4O


def test_embeddings_have_no_output_and_free_models_cost_nothing(noon):
    assert default_rates("openai", "text-embedding-3-small", at=noon).output == 0
    free = default_rates("openrouter", "meta-llama/llama-3.3-70b-instruct:free", at=noon)
    assert set(free.all) == {Decimal(0)}


@pytest.mark.parametrize(
    ("provider", "model"),
    [("nvidia", "gpt-4o"), ("openai", "no-such"), ("", ""), ("groq", ""), ("openai", "whisper-1"),
     ("github-copilot", "gpt-4o"), ("sokosumi", "any")],
)  # fmt: skip
def test_what_nobody_has_priced_per_token_is_unknown(provider, model, noon):
    assert default_rates(provider, model, at=noon) is None


def test_bundled_prices_lose_nothing_but_dust_in_nine_places(noon):
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            rates = default_rates(provider.id, model.id, at=noon)
            exact = model.get_prices(noon).input_mtok
            if rates and isinstance(exact, Decimal) and provider.id == "openrouter":
                assert rates.input.as_tuple().exponent == -9
                assert abs(rates.input * 1000 - exact) < Decimal("1e-12")
