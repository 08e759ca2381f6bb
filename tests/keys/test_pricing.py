"""Costs are exact, rounded once, and never above the bound that was held for them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from genai_prices import Usage as GenaiUsage
from genai_prices import data_snapshot
from genai_prices.types import ModelPrice
from hypothesis import given
from hypothesis import strategies as st

from keys.models import Price
from keys.services import Usage
from keys.supply.pricing import (
    RATE_NAMES,
    Rates,
    Tier,
    Variant,
    bound,
    bundled,
    cost,
    default_rates,
    doubt,
    rates_as_json,
    rates_from_json,
    served_rates,
    tiers_as_json,
    variants_as_json,
)
from tests.moments import NOON

GPT_4O = Rates(input=Decimal("0.0025"), cached=Decimal("0.00125"), output=Decimal("0.01"))
# With the price of searches, and that of OpenAI's older search tool.
BUNDLED_GPT_4O = replace(
    GPT_4O,
    web_search=Decimal(10),
    variants=(Variant(replace(GPT_4O, web_search=Decimal(25)), search_kind="preview"),),
)
SONNET = Rates(
    input=Decimal("0.003"),
    cached=Decimal("0.0003"),
    cache_write=Decimal("0.00375"),
    output=Decimal("0.015"),
)
REALTIME = Rates(
    input=Decimal("0.004"),
    cached=Decimal("0.0004"),
    audio_input=Decimal("0.032"),
    output=Decimal("0.016"),
    audio_output=Decimal("0.064"),
)
# Two tiers, the second cheaper than the first but for its cached tokens.
LONG = Rates(
    input=Decimal("0.001"),
    output=Decimal("0.004"),
    tiers=(
        Tier(1_000, Rates(input=Decimal("0.002"), output=Decimal("0.008"))),
        Tier(2_000, Rates(input=Decimal("0.001"), output=Decimal("0.002"))),
    ),
)
RATE = st.decimals(0, 10**6, places=9)
MAYBE = st.none() | RATE
KINDS = {name: RATE if name in ("input", "output") else MAYBE for name in RATE_NAMES}
TIERS = st.dictionaries(st.integers(0, 3_000), st.builds(Rates, **KINDS), max_size=3).map(
    lambda tiers: tuple(Tier(*tier) for tier in sorted(tiers.items()))
)
VARIANTS = st.lists(
    st.builds(
        Variant,
        st.builds(Rates, **KINDS, tiers=TIERS),
        st.sampled_from(["standard", "flex", "priority"]),
        st.none() | st.times(),
        st.none() | st.times(),
    ),
    max_size=2,
).map(tuple)
RATES = st.builds(Rates, **KINDS, tiers=TIERS, variants=VARIANTS)
COUNT = st.integers(0, 10**12)


@st.composite
def usages(draw, most):
    """Any usage that can be, of at most `most` tokens."""
    tokens = draw(st.integers(0, most))
    known = draw(st.integers(0, tokens))
    wholes = {"input_tokens": draw(st.integers(0, known))}
    wholes["output_tokens"] = known - wholes["input_tokens"]
    wholes["cached_tokens"] = draw(st.integers(0, wholes["input_tokens"]))
    rest = wholes["input_tokens"] - wholes["cached_tokens"]
    wholes["cache_write_tokens"] = draw(st.integers(0, rest))
    parts = {
        "cache_write_long_tokens": "cache_write_tokens",
        "audio_input_tokens": "input_tokens",
        "reasoning_tokens": "output_tokens",
        "audio_output_tokens": "output_tokens",
    }
    drawn = {part: draw(st.integers(0, wholes[whole])) for part, whole in parts.items()}
    for side in ("input", "output"):
        most_images = wholes[f"{side}_tokens"] - drawn[f"audio_{side}_tokens"]
        drawn[f"image_{side}_tokens"] = draw(st.integers(0, most_images))
    return Usage(**wholes, **drawn, total=tokens)


def line(rates):
    """A line of the price book with these rates."""
    return Price(
        provider_id="nvidia",
        **dict(zip(RATE_NAMES, rates.all, strict=True)),
        tiers=tiers_as_json(rates.tiers),
        variants=variants_as_json(rates.variants),
        tier_max=rates.tier_max,
    )


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


def test_a_cache_write_kept_an_hour_has_its_own_rate():
    rates = replace(SONNET, cache_write_long=Decimal("0.006"))
    counts = {"input_tokens": 900, "output_tokens": 0, "cache_write_tokens": 900}
    # 600 × 0.00375 + 300 × 0.006, all / 1,000
    assert cost(rates, **counts, cache_write_long_tokens=300) == Decimal("0.00405")
    assert cost(SONNET, **counts, cache_write_long_tokens=300) == cost(SONNET, **counts)


def test_audio_has_its_own_rates_and_is_taken_as_fresh_as_far_as_it_can():
    # 30 × 0.004 + 70 × 0.032 + 20 × 0.016 + 80 × 0.064, all / 1,000
    spoken = {"audio_input_tokens": 70, "output_tokens": 100, "audio_output_tokens": 80}
    assert cost(REALTIME, input_tokens=100, **spoken) == Decimal("0.0078")
    # 60 × 0.0004 + 40 × 0.032: of 70 tokens of audio at least 30 came from the cache
    spent = cost(
        REALTIME, input_tokens=100, cached_tokens=60, audio_input_tokens=70, output_tokens=0
    )
    assert spent == Decimal("0.001304")


def test_images_have_their_own_rates_beside_audio():
    rates = replace(REALTIME, image_input=Decimal("0.005"), image_output=Decimal("0.03"))
    counts = {"input_tokens": 100, "image_input_tokens": 30, "audio_input_tokens": 20}
    counts |= {"output_tokens": 200, "image_output_tokens": 150, "audio_output_tokens": 10}
    # 50 × 0.004 + 20 × 0.032 + 30 × 0.005 + 40 × 0.016 + 10 × 0.064 + 150 × 0.03, all / 1,000
    assert cost(rates, **counts) == Decimal("0.00677")
    # 80 × 0.0004 + 20 × 0.032: of 50 tokens of audio and images at least 30 came from the cache
    read = {"cached_tokens": 80, "image_input_tokens": 30, "audio_input_tokens": 20}
    assert cost(rates, input_tokens=100, **read, output_tokens=0) == Decimal("0.000672")


@pytest.mark.parametrize(
    ("model", "counts", "spent"),
    [
        # 1,290 × 30 + 10 × 2.5 (and 8 × 0.3), all / 1,000,000
        (
            "gemini-2.5-flash-image",
            {"output_tokens": 1300, "image_output_tokens": 1290},
            "0.038725",
        ),
        ("gemini-2.5-flash-image", {"output_tokens": 1290, "image_output_tokens": 1290}, "0.0387"),
        # 1,120 × 120 + 30 × 12
        (
            "gemini-3-pro-image-preview",
            {"output_tokens": 1150, "image_output_tokens": 1120, "reasoning_tokens": 30},
            "0.13476",
        ),
        # 1,000 × 60 + 100 × 3
        (
            "gemini-3.1-flash-image-preview",
            {"output_tokens": 1100, "image_output_tokens": 1000},
            "0.0603",
        ),
        # Without a rate of its own an image costs what text does: 500 × 10 + 300 × 40
        (
            "gemini-2.5-pro",
            {"input_tokens": 2000, "image_input_tokens": 1500, "output_tokens": 0},
            "0.0025",
        ),
    ],
)
def test_images_cost_what_google_publishes(noon, model, counts, spent):
    rates = default_rates("google", model, at=noon)
    assert cost(rates, **({"input_tokens": 0} | counts)) == Decimal(spent)


@pytest.mark.parametrize(
    ("input_tokens", "spent"),
    [(1_000, "0.005"), (1_001, "0.010002"), (2_000, "0.012"), (2_001, "0.004001")],
)
def test_a_prompt_longer_than_where_a_tier_begins_prices_the_whole_request(input_tokens, spent):
    assert cost(LONG, input_tokens=input_tokens, output_tokens=1_000) == Decimal(spent)


def test_tokens_of_no_known_kind_cost_the_highest_rate_they_can_reach():
    assert cost(LONG, input_tokens=0, output_tokens=0, unknown_tokens=1_000) == Decimal("0.004")
    assert cost(LONG, input_tokens=0, output_tokens=0, unknown_tokens=1_001) == Decimal("0.008008")
    # 900 of input may be 1,100: 900 × 0.002 + 200 × 0.008
    assert cost(LONG, input_tokens=900, output_tokens=0, unknown_tokens=200) == Decimal("0.0034")


@pytest.mark.parametrize(
    "tiers",
    [
        (Tier(2, GPT_4O), Tier(1, GPT_4O)),
        (Tier(1, GPT_4O), Tier(1, GPT_4O)),
        (Tier(-1, GPT_4O),),
        (Tier(1, LONG),),
    ],
)
def test_tiers_that_cannot_be_are_wrong(tiers):
    with pytest.raises(ValueError, match=r"[Tt]ier"):
        replace(GPT_4O, tiers=tiers)


def test_a_cost_has_nine_places_and_is_rounded_once_half_up():
    """O68."""
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
    assert bound(REALTIME, 10) == Decimal("0.00064")
    assert bound(LONG, 10) == Decimal("0.00008")


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
        ({"cache_write_tokens": 2, "cache_write_long_tokens": 3}, "one-hour cache writes are more"),
        ({"cache_write_tokens": -1, "cache_write_long_tokens": -1}, "below zero"),
        ({"cache_write_long_tokens": -1}, "below zero"),
        ({"audio_input_tokens": 11}, "more than the input"),
        ({"audio_input_tokens": -1}, "below zero"),
        ({"audio_output_tokens": 6}, "more than the output"),
        ({"audio_output_tokens": -1}, "below zero"),
        ({"image_input_tokens": 11}, "more than the input"),
        ({"image_input_tokens": 6, "audio_input_tokens": 5}, "more than the input"),
        ({"image_input_tokens": -1}, "below zero"),
        ({"image_output_tokens": 6}, "more than the output"),
        ({"image_output_tokens": 3, "audio_output_tokens": 3}, "more than the output"),
        ({"image_output_tokens": -1}, "below zero"),
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


@given(RATES, st.data())
def test_no_call_costs_more_than_was_held_for_it(rates, data):
    held = data.draw(st.integers(0, 5_000))
    price = line(rates)
    # As `statements.HOLD` says it.
    held_cost = (held * price.token_cost_max).quantize(Decimal("1e-9"), ROUND_HALF_UP)
    spent = data.draw(usages(held)).cost(price, at=NOON)
    assert 0 <= spent <= held_cost <= bound(rates, held)


@given(RATES, st.data())
def test_no_variant_costs_more_than_was_held(rates, data):
    price, held = line(rates), data.draw(st.integers(0, 5_000))
    tier = data.draw(st.sampled_from(["", "standard", "flex", "priority", "scale"]))
    at = NOON + timedelta(minutes=data.draw(st.integers(0, 1440)))
    spent = data.draw(usages(held)).cost(price, service_tier=tier, at=at)
    cost_max = price.token_cost_max_as({tier}) if tier else price.token_cost_max
    assert 0 <= spent <= (held * cost_max).quantize(Decimal("1e-9"), ROUND_HALF_UP)
    assert cost_max <= price.token_cost_max


@given(RATES)
def test_a_line_of_the_price_book_has_the_rates_it_was_made_of(rates):
    price = line(rates)
    assert price.rates == rates
    assert price.token_cost_max * 1000 == max(rates.all + (rates.tier_max,))


@given(RATES, COUNT, COUNT)
def test_the_precision_of_the_caller_does_not_matter(rates, input_tokens, output_tokens):
    counts = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    with localcontext(prec=3):
        roughly = cost(rates, **counts), bound(rates, input_tokens)
    assert roughly == (cost(rates, **counts), bound(rates, input_tokens))


@given(RATES)
def test_rates_come_back_from_json_as_they_were(rates):
    stored = rates_as_json(rates)
    each = [stored, *stored.get("tiers", []), *stored.get("variants", [])]
    texts = [kind[name] for kind in each for name in RATE_NAMES]
    assert all(isinstance(text, str) and "E" not in text for text in texts)
    assert rates_from_json(json.loads(json.dumps(stored))) == rates


@pytest.mark.parametrize(
    ("rates", "says"),
    [
        ({"input": "3", "output": "15"}, "Input costs 3 US dollars per 1,000 tokens"),
        ({"input": "0.15", "output": "600"}, "Output costs 600 US dollars"),
        ({"input": "0.1", "output": "0.2", "cache_write": "3.75"}, "Cache write costs 3.75"),
        ({"input": "0.1", "output": "0.2", "image_output": "30"}, "Image output costs 30"),
        ({"input": "0.15", "output": "0.6"}, ""),
        ({"input": "1", "output": "1"}, ""),
        # Fees are per 1,000 requests and searches.
        ({"input": "0", "output": "0", "request": "12", "web_search": "35"}, ""),
    ],
)
def test_a_rate_above_all_known_prices_is_asked_about(rates, says):
    said = doubt(Rates(**{name: Decimal(rate) for name, rate in rates.items()}))
    assert said.startswith(says)
    assert bool(said) == bool(says)


def test_a_float_is_refused_as_a_rate():
    with pytest.raises(TypeError):
        Rates(input=0.1, output=Decimal(1))
    with pytest.raises(TypeError):
        rates_from_json({"input": 0.1, "output": "1"})


@pytest.mark.parametrize("rate", ["-0.1", "NaN", "Infinity"])
def test_a_rate_below_zero_or_without_end_is_wrong(rate):
    with pytest.raises(ValueError, match="zero or more"):
        Rates(input=Decimal(1), output=Decimal(rate))


def test_defaults_are_the_prices_bundled_with_genai_prices(noon):
    assert default_rates("openai", "gpt-4o", at=noon) == BUNDLED_GPT_4O
    groq = default_rates("groq", "llama-3.3-70b-versatile", at=noon)
    assert groq == Rates(input=Decimal("0.00059"), output=Decimal("0.00079"))
    assert default_rates("openrouter", "anthropic/claude-sonnet-4", at=noon) == SONNET


def test_long_prompts_have_the_bundled_tiers(noon):
    rates = default_rates("google", "gemini-2.5-pro", at=noon)
    assert (rates.input, rates.output) == (Decimal("0.00125"), Decimal("0.01"))
    ((begins, above),) = rates.tiers
    assert (begins, above.input, above.output) == (200_000, Decimal("0.0025"), Decimal("0.015"))


def test_anthropic_writes_to_the_cache_for_an_hour_at_twice_the_input(noon):
    rates = default_rates("anthropic", "claude-sonnet-4-5", at=noon)
    assert (rates.cache_write, rates.cache_write_long) == (Decimal("0.00375"), Decimal("0.006"))
    assert rates.tiers[0].rates.cache_write_long == Decimal("0.012")
    prices = ModelPrice(input_mtok=Decimal(3), cache_write_mtok=Decimal(4), output_mtok=Decimal(9))
    for provider, rate in (("anthropic", "0.006"), ("openrouter", "0.004")):
        rates = bundled.rates_above(prices, start=0, provider=provider)
        assert rates.cache_write_long == Decimal(rate)


def test_audio_has_the_bundled_prices(noon):
    rates = default_rates("openai", "gpt-realtime", at=noon)
    assert (rates.audio_input, rates.audio_output) == (Decimal("0.032"), Decimal("0.064"))


@pytest.mark.parametrize("input_tokens", [0, 1, 128_000, 200_000, 200_001, 272_001, 10**7])
def test_what_a_call_costs_is_what_genai_prices_says(noon, input_tokens):
    counts = {"input_tokens": input_tokens, "output_tokens": 900, "cached_tokens": 0}
    asked = GenaiUsage(input_tokens=input_tokens, output_tokens=900)
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            rates = default_rates(provider.id, model.id, at=noon)
            if rates and provider.id in ("anthropic", "google", "openai"):
                theirs = model.get_prices(noon).calc_price(asked)
                ours = cost(rates, **counts)
                paid_per_call = "requests_kcount" in vars(model.get_prices(noon))
                assert paid_per_call or abs(ours - theirs["total_price"]) < Decimal("1e-6"), model


@pytest.mark.parametrize("provider", ["openai", "OpenAI", " openai ", "openai-2"])
def test_a_provider_goes_by_several_names(provider, noon):
    assert default_rates(provider, "gpt-4o", at=noon) == BUNDLED_GPT_4O


@pytest.mark.parametrize(
    ("kind", "searches", "requests", "cost_said"),
    [
        ("", 0, 0, "0.0075"),
        ("", 3, 1, "0.0375"),
        ("preview", 3, 1, "0.0825"),
        ("unknown", 3, 1, "0.0375"),
    ],
)
def test_searches_cost_beside_tokens_as_their_kind_does(noon, kind, searches, requests, cost_said):
    rates = served_rates(
        BUNDLED_GPT_4O, provider="openai", service_tier="", at=noon, search_kind=kind
    )
    counts = {"input_tokens": 1000, "output_tokens": 500}
    spent = cost(rates, **counts, web_searches=searches, requests=requests)
    assert (
        spent
        == Decimal(cost_said)
        <= Decimal("0.0075") + BUNDLED_GPT_4O.call_max(web_searches=searches)
    )


@pytest.mark.parametrize("tier", ["", "flex", "batch", "priority"])
def test_a_search_costs_the_same_in_every_service_tier(noon, tier):
    rates = default_rates("openai", "gpt-5", at=noon)
    served = served_rates(rates, provider="openai", service_tier=tier, at=noon)
    assert served.web_search == 10


def test_searches_of_unknown_price_cost_nothing_and_fees_are_stored():
    assert cost(GPT_4O, input_tokens=0, output_tokens=0, web_searches=5) == 0
    for rates in (BUNDLED_GPT_4O, replace(GPT_4O, request=Decimal(5), web_search=Decimal(0))):
        assert rates_from_json(json.loads(json.dumps(rates_as_json(rates)))) == rates
    with pytest.raises(ValueError, match="searches is below zero"):
        cost(GPT_4O, input_tokens=0, output_tokens=0, web_searches=-1)


def test_embeddings_have_no_output_and_free_models_cost_nothing(noon):
    assert default_rates("openai", "text-embedding-3-small", at=noon).output == 0
    free = default_rates("openrouter", "meta-llama/llama-3.3-70b-instruct:free", at=noon)
    assert set(free.all) == {Decimal(0)}


@pytest.mark.parametrize(
    ("provider", "model"),
    [("nvidia", "gpt-4o"), ("openai", "no-such"), ("", ""), ("groq", ""), ("openai", "whisper-1"),
     ("github-copilot", "gpt-4o"), ("sokosumi", "any")],
)  # fmt: skip
def test_a_model_without_a_price_per_token_is_unknown(provider, model, noon):
    assert default_rates(provider, model, at=noon) is None


def test_bundled_prices_lose_nothing_but_dust_in_nine_places(noon):
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            rates = default_rates(provider.id, model.id, at=noon)
            exact = model.get_prices(noon).input_mtok
            if rates and isinstance(exact, Decimal) and provider.id == "openrouter":
                assert rates.input.as_tuple().exponent == -9
                assert abs(rates.input * 1000 - exact) < Decimal("1e-12")


# US dollars per million of input and output tokens, as DeepSeek publishes them: half price outside
# of the busy hours of the day (UTC).
@pytest.mark.parametrize(
    ("model", "moment", "spent"),
    [
        ("deepseek-chat", "00:29:59", "0.000685"),
        ("deepseek-chat", "00:30:00", "0.00137"),
        ("deepseek-chat", "16:29:59", "0.00137"),
        ("deepseek-chat", "16:30:00", "0.000685"),
        ("deepseek-flash", "00:00:00", "0.00075"),
        ("deepseek-flash", "03:59:59", "0.0015"),
        ("deepseek-flash", "05:00:00", "0.00075"),
        ("deepseek-flash", "06:00:00", "0.0015"),
    ],
)
@pytest.mark.parametrize("added", [0, 12])
def test_the_hour_of_a_call_decides_its_price_not_the_hour_of_the_key(
    noon, model, moment, spent, added
):
    rates = default_rates("deepseek", model, at=noon.replace(hour=added))
    at = datetime.combine(noon.date(), time.fromisoformat(moment), UTC)
    usage = Usage(input_tokens=1_000, output_tokens=1_000)
    assert usage.cost(line(rates), at=at) == Decimal(spent)
    same_moment = at.astimezone(timezone(timedelta(hours=9)))
    assert usage.cost(line(rates), at=same_moment) == Decimal(spent)
    assert rates.max_of(()) == rates.max


def test_an_interval_of_the_day_may_include_midnight():
    night = Variant(GPT_4O, starts=time(22), ends=time(6))
    covered = [hour for hour in range(24) if night.covers(time(hour))]
    assert covered == [0, 1, 2, 3, 4, 5, 22, 23]


def test_variants_cannot_be_nested():
    inner = replace(GPT_4O, variants=(Variant(GPT_4O, "flex"),))
    with pytest.raises(ValueError, match="nested"):
        replace(GPT_4O, variants=(Variant(inner, "priority"),))


@pytest.mark.parametrize(
    ("provider", "model", "tier", "rate"),
    [
        ("openai", "gpt-5", "flex", "0.005"),
        ("openai", "gpt-5", "priority", "0.02"),
        ("openai", "gpt-5-mini", "priority", "0.0036"),
        ("openai", "gpt-4o", "priority", "0.017"),
        ("openai", "gpt-4.1", "batch", "0.004"),
        ("anthropic", "claude-haiku-4-5", "batch", "0.0025"),
        ("google", "gemini-2.5-pro", "batch", "0.005"),
        ("mistral", "mistral-small-latest", "batch", None),
        ("groq", "llama-3.3-70b-versatile", "batch", None),
        ("x-ai", "grok-3", "scale", None),
    ],
)
def test_tiers_have_the_bundled_rates(provider, model, tier, rate):
    at = datetime(2026, 11, 1, tzinfo=UTC)
    rates = default_rates(provider, model, at=at)
    served = served_rates(rates, provider=provider, service_tier=tier, at=at)
    half = rates.output / 2 if tier == "batch" else rates.output
    assert served.output == (half if rate is None else Decimal(rate))
    assert rates.max >= served.max
