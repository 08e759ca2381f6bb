"""What is learned of settled work: forecasts that cover what they promise, and never break."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prediction.learning import text_models
from prediction.learning.adaptive import AdaptiveQuantile
from prediction.learning.codec import ModelBroken, from_json, to_json
from prediction.learning.forecaster import KnownTexts
from prediction.learning.quantiles import conformal_quantile, quantiles_of
from prediction.learning.rows import Group
from prediction.learning.sketch import sketch_of, sketches_of
from prediction.learning.train import train
from prediction.learning.vocabulary import Hasher
from tests.prediction.made_up_work import ADA, HASHER, WORDS, rows, sketch, work


@pytest.fixture(scope="module")
def learned():
    return train(rows(*work(400)))


def test_forecasts_of_new_texts_cover_what_they_promise_and_are_nearer_than_a_constant(learned):
    texts, groups, tokens = work(300, seed=2)
    found = [learned.forecast(sketch(t), g) for t, g in zip(texts, groups, strict=True)]
    p50, p90, p99 = np.array([each.quantiles[0] for each in found]).T
    assert 0.86 < np.mean(tokens <= p90) < 0.95
    assert np.mean(tokens <= p99) > 0.95
    constant = np.median(tokens)
    assert np.median(abs(np.log(tokens / p50))) < 0.6 * np.median(abs(np.log(tokens / constant)))


def test_quantiles_rise_for_every_target(learned):
    texts, groups, _ = work(50, seed=3)
    for text, group in zip(texts, groups, strict=True):
        assert (np.diff(learned.forecast(sketch(text), group).quantiles, axis=1) >= 0).all()


def test_a_text_that_was_seen_on_another_model_is_known(learned):
    texts, groups, tokens = work(400)
    place = next(n for n, group in enumerate(groups) if group.model == "large")
    other = learned.forecast(sketch(texts[place]), Group("small", "ada", "report"))
    assert other.basis == "exact"
    assert other.quantiles[0, 0] < tokens[place]


def test_a_text_that_is_nearly_the_same_is_known_as_that():
    long = " ".join(f"{word} {n}" for n, word in enumerate(WORDS * 8))
    texts, groups, tokens = work(60)
    found = train(rows([*texts, long], [*groups, ADA], [*tokens, 10**6]))
    near = found.forecast(sketch(f"{long} please"), ADA)
    assert (near.basis, near.text_rows) == ("near", 1)
    assert near.quantiles[0, 0] > found.forecast(None, ADA).quantiles[0, 0]


def test_a_stranger_gets_what_holds_for_all(learned):
    stranger = learned.forecast(None, Group("unheard of", "bob", "song"))
    assert stranger.basis == "group" and stranger.factors == {}
    assert stranger.rows == 400


def test_one_row_is_enough_and_says_how_little_it_knows():
    one = train(rows(["Write."], [ADA], [500])).forecast(sketch("Read."), ADA)
    assert one.rows == 1 and one.p99_extrapolated
    assert np.allclose(one.quantiles[0], 500)
    assert not train(rows(["Write."], [ADA], [500])).is_learned(ADA)


def test_no_rows_teach_nothing():
    with pytest.raises(ValueError, match="no rows"):
        train(rows([], [], []))


def test_many_texts_alike_teach_their_spread():
    tokens = np.random.default_rng(1).lognormal(8, 0.5, 20_000)
    found = train(rows(["Sum up the day."] * 20_000, [ADA] * 20_000, tokens))
    known = found.forecast(sketch("Sum  up the DAY."), ADA)
    assert (known.basis, known.text_rows, known.p99_extrapolated) == ("exact", 20_000, False)
    for forecast, share in zip(known.quantiles[0], (0.5, 0.9, 0.99), strict=True):
        assert forecast == pytest.approx(np.quantile(tokens, share), rel=0.05)


def test_work_without_texts_is_learned_by_group():
    groups = [ADA] * 50 + [ADA._replace(model="small")] * 50
    found = train(rows([None] * 100, groups, [3_000] * 50 + [100] * 50, sketches=[]))
    assert found.forecast(None, ADA).quantiles[0, 0] > 1_500
    assert found.forecast(sketch("Anything."), ADA).basis == "group"


def test_work_that_was_cut_off_does_not_pull_forecasts_down():
    random = np.random.default_rng(3)
    tokens, texts, groups = random.lognormal(8, 1, 400), [None] * 400, [ADA] * 400
    budgets = np.where(random.random(400) < 0.05, 1e9, np.quantile(tokens, 0.7))
    cut = np.minimum(tokens, budgets)
    told = train(rows(texts, groups, cut, censored=tokens > budgets, sketches=[]))
    untold = train(rows(texts, groups, cut, sketches=[]))
    real = np.quantile(tokens, 0.9)
    assert untold.forecast(None, ADA).quantiles[0, 1] < 0.65 * real
    assert 0.7 * real < told.forecast(None, ADA).quantiles[0, 1] < 1.5 * real


def test_if_all_large_ones_were_cut_off_the_forecast_goes_beyond_them():
    tokens = np.random.default_rng(3).lognormal(8, 1, 400)
    budget = np.quantile(tokens, 0.7)
    texts, groups, cut = [None] * 400, [ADA] * 400, np.minimum(tokens, budget)
    told = train(rows(texts, groups, cut, censored=tokens > budget, sketches=[]))
    assert told.forecast(None, ADA).quantiles[0, 1] > 1.5 * budget


def test_a_group_leaves_the_rule_of_words_when_its_history_says_so():
    texts, groups, tokens = work(60)
    assert train(rows(texts, groups, tokens)).is_learned(ADA)
    assert not train(rows(texts, groups, tokens, rule=np.array(tokens))).is_learned(ADA)


@pytest.mark.parametrize(
    "text",
    ["", "\x00", "\ud800", "語" * 40_000, "a " * 500_000, "👩‍👩‍👧" * 9, "\n" * 1_000_000]
    + ["a/" * 500_000 + " x.py", "\n " * 500_000, "\n" + "1" * 1_000_000],
    ids=lambda text: repr(text[:6]),
)
def test_every_text_has_a_sketch(learned, text):
    found = learned.forecast(sketch(text), ADA)
    [_, together] = learned.forecasts([(None, ADA), (sketch(text), ADA), (sketch("x"), ADA)])[:2]
    assert np.allclose(found.quantiles, together.quantiles, rtol=1e-6)
    assert np.isfinite(found.quantiles).all()


def test_texts_together_have_the_sketches_that_each_has_alone():
    texts = ["", "one", "one two", "a b c", "\ud800", "語 x", "Fix app/main.py.js", *work(30)[0]]
    texts += ["", "word " * 30_000, "1. a\n\n- b?"]
    for text, together in zip(texts, sketches_of(texts, HASHER), strict=True):
        alone = sketch(text)
        assert together.digest == alone.digest
        for mine, its in (
            (together.bands, alone.bands),
            (together.counts, alone.counts),
            (together.terms.buckets, alone.terms.buckets),
            (together.terms.counts, alone.terms.counts),
        ):
            assert mine.dtype == its.dtype and np.array_equal(mine, its)


def test_forecasts_together_are_those_of_each_alone(learned):
    texts, groups, _ = work(40, seed=6)
    asked = [(sketch(text), group) for text, group in zip(texts, groups, strict=True)]
    asked += [(None, ADA), asked[0]]
    for (text, group), together in zip(asked, learned.forecasts(asked), strict=True):
        alone = learned.forecast(text, group)
        assert np.allclose(together.quantiles, alone.quantiles, rtol=1e-6)
        assert (together.basis, together.rows) == (alone.basis, alone.rows)
        assert together.factors == pytest.approx(alone.factors)
    assert learned.forecasts([]) == []


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_a_query_in_parts_is_the_query_of_each_part(learned, size):
    index = learned.text_models.index
    terms = [
        sketch(f"{word} of {other}").terms for word, other in zip(WORDS, WORDS[1:], strict=False)
    ]
    parts = list(index.query(terms).parts(size))
    alone = [index.query(terms[start : start + size]) for start in range(0, len(terms), size)]
    assert [part.size for part in parts] == [part.size for part in alone]
    for part, other in zip(parts, alone, strict=True):
        assert all(map(np.array_equal, part[:3], other[:3]))
        assert np.array_equal(index.similarities(part), index.similarities(other))


def test_a_text_whose_digest_ends_in_zeros_is_known():
    known = KnownTexts(
        np.array([b"a" * 15 + b"\0", b"b" * 16], "S16"),
        np.zeros((2, 8), np.int64),
        np.ones(2, np.int32),
        np.zeros((2, 5)),
    )
    assert known.exact(b"a" * 15 + b"\0") == 0
    assert known.exact(b"c" * 16) is None


@given(arrays(float, (3, 260), elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9])))
def test_the_nearest_are_the_largest(similar):
    places = text_models._largest(similar, 25)
    found = np.sort(np.take_along_axis(similar, places, 1), axis=1)
    assert np.array_equal(found, np.sort(similar, axis=1)[:, -25:])
    assert all(len(set(row)) == 25 for row in places.tolist())
    for row, among in zip(similar, places, strict=True):
        alone = text_models._largest_of_one(row, 25)
        assert len(set(alone.tolist())) == 25
        assert np.array_equal(np.sort(row[alone]), np.sort(row[among]))


def test_a_sketch_needs_the_key_and_has_no_word():
    mine, other = sketch("invoice of the vendor"), sketch_of("invoice of the vendor", Hasher(b"x"))
    assert mine.digest != other.digest
    assert not set(mine.terms.buckets) & set(other.terms.buckets)


def test_what_is_stored_forecasts_the_same(learned):
    again = from_json(json.loads(json.dumps(to_json(learned))))
    for text, group in zip(*work(20, seed=4)[:2], strict=True):
        before, after = (each.forecast(sketch(text), group) for each in (learned, again))
        assert np.allclose(before.quantiles, after.quantiles, rtol=1e-4)
        assert (before.basis, before.rows) == (after.basis, after.rows)


@given(st.data())
def test_a_damaged_model_is_said_to_be_one(learned_json, data):
    damaged = copy.deepcopy(learned_json)
    at = data.draw(st.sampled_from([damaged, damaged["texts"], damaged["text_models"]]))
    name = data.draw(st.sampled_from(sorted(at)))
    at[name] = data.draw(st.sampled_from([None, [], "x", {"f4": "AAAA", "shape": [9]}, -1.5]))
    try:
        model = from_json(damaged)
    except ModelBroken:
        return
    found = model.forecast(sketch("Draft the plan."), ADA)
    assert found is None or np.isfinite(found.quantiles).all()


@pytest.fixture(scope="module")
def learned_json(learned):
    return to_json(learned)


def test_the_conformal_quantile_is_the_one_of_the_next_row():
    residuals = np.arange(1.0, 10.0)
    assert conformal_quantile(residuals, 0.9) == 9
    assert conformal_quantile(residuals, 0.5) == 5
    assert conformal_quantile(np.arange(1.0, 20.0), 0.9) == 18


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=1, max_size=150),
)
def test_lower_bounds_never_lower_a_quantile(found):
    residuals = np.array([value for value, _ in found])
    censored = np.array([cut for _, cut in found])
    columns = np.repeat(residuals[:, None], 3, axis=1)
    told, untold = quantiles_of(columns, censored), quantiles_of(columns, censored & False)
    assert (told[:2] >= untold[:2]).all()
    assert (np.diff(told) >= 0).all()


def test_an_adaptive_quantile_keeps_its_promise_when_answers_double():
    random = np.random.default_rng(5)
    scores = random.normal(size=4_000) + np.where(np.arange(4_000) < 2_000, 0, 0.7)
    fixed = np.quantile(scores[:500], 0.9)
    adaptive = AdaptiveQuantile()
    covered = np.array([adaptive.settle(float(score)) for score in scores])[500:]
    assert np.mean(scores[2_000:] <= fixed) < 0.8
    rolling = np.convolve(covered, np.ones(500) / 500, "valid")
    assert rolling.min() >= 0.87 and rolling.max() <= 0.93
