"""What is counted of large JSON and texts, in slices of any size, is what the whole has."""

import json
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway import bounds
from gateway.bounds import json_outline, slices, tokenizers
from gateway.refusals import InvalidRequest
from keys.supply.model_facts import facts_by_name

SLICES = (7, 8, 13, 100)

names = st.text('a"\\\u00e9\n,:[{1', max_size=9)
texts = st.one_of(
    names, st.text("\\", max_size=20), st.text('"\\/\u2028', min_size=250, max_size=300)
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def encoded(value, is_ascii):
    return json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")


def shape_of(value):
    """A value without its texts."""
    if isinstance(value, dict):
        return {number: shape_of(each) for number, each in enumerate(value.values())}
    if isinstance(value, list):
        return [shape_of(each) for each in value]
    return "" if isinstance(value, str) else value


def begins_in(value):
    """How many commas, colons and brackets are outside of strings."""
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        colons = len(value) if isinstance(value, dict) else 0
        return 1 + colons + max(len(value) - 1, 0) + sum(map(begins_in, inner))
    return 0


@given(value=values, is_ascii=st.booleans(), size=st.sampled_from(SLICES))
@example(value={"\\": "\\\\", 'a"': '\\"'}, is_ascii=True, size=7)
@example(value=["x\u2028\u00e9\U0001f600" * 50], is_ascii=False, size=100)
@settings(max_examples=300)
def test_an_outline_has_the_same_shape(value, is_ascii, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "_SLICE_BYTES", size)
        # No part of a name is longer here.
        patch.setattr(json_outline, "_STRING_BYTES_MAX", 60)
        outline = json_outline.outline(encoded(value, is_ascii))
    assert shape_of(json.loads(outline, strict=False)) == shape_of(value)


@given(value=values, is_ascii=st.booleans(), size=st.sampled_from(SLICES))
@settings(max_examples=300)
def test_values_are_counted_outside_of_strings(value, is_ascii, size):
    raw, begins = encoded(value, is_ascii), begins_in(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "_SLICE_BYTES", size)
        # The last bytes are not looked at: closing brackets and the rest of a text.
        assert bounds.has_more_values(raw + b"      ", begins - 1) or begins == 0
        assert not bounds.has_more_values(raw, max(begins, raw.count(b'"')))


@pytest.mark.parametrize("raw", [b"[", b'{"a":1},', b"1,", b'""', b'"', b'{"a":', b'","'])
def test_garbage_is_given_up_at_the_limit(monkeypatch, raw):
    looked_at = []
    real = slices.slices

    def counted(whole, **options):
        for each in real(whole, **options):
            looked_at.append(each)
            yield each

    monkeypatch.setattr(json_outline, "slices", counted)
    assert bounds.has_more_values(raw * 3_000_000, 400_000)
    assert sum(map(len, looked_at)) < 400_000 * (len(raw) + 1) + 2 * 64 * 1024


def test_a_repeated_name_in_large_json_is_found():
    large = b'"x":"' + b"y" * 100_000 + b'"'
    for repeated in (b'"a":1,"a":2', b'"\\u0061":1,"a":2', b'"a\\"":1,%s,"a\\"":2' % large):
        with pytest.raises(InvalidRequest, match="the same name twice"):
            bounds.check_unique_names(b"[{" + large + b"},{" + repeated + b"}]", "x")
    bounds.check_unique_names(b'[{"a":1,"A":1,"a\\"":1,"a\\\\":1,' + large + b"}]", "x")


# --- Texts ---------------------------------------------------------------------------------------

pieces_of_text = st.lists(
    st.sampled_from(
        ["a", " ", "e\u0301\u0323", "\u00e1", "\u0323", "\ufdfa", "\ud55c", "\u1112\u1161\u11ab"]
        + ["\uff76\uff9e", "\u0958", "\U0001f469\u200d\U0001f467", "\u7684\u4e00", "\u1e9b", "\n"]
    ),
    max_size=60,
)


@given(pieces=pieces_of_text, size=st.sampled_from(SLICES))
@settings(max_examples=300)
def test_a_text_in_pieces_is_bounded_as_the_whole_is(pieces, size):
    text = "".join(pieces)
    whole = max(
        len(form.encode())
        for form in (text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFKC")))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "_PIECE_BYTES", size)
        assert whole <= bounds.utf8_max(text) <= 11 * len(text.encode())


@pytest.mark.parametrize("said", ["naïve café, ", "的一是了。\n", "日本語 の文。", "👩‍👩‍👧 é "])
def test_what_people_write_is_bounded_exactly_however_long_it_is(said):
    text = said * 100_000
    assert bounds.utf8_max(text) == bounds.utf8_max(said) * 100_000


def test_of_many_texts_only_some_are_counted_and_the_rest_is_bounded_by_bytes(monkeypatch):
    monkeypatch.setattr(tokenizers, "_COUNTED_BYTES_IN_ALL_MAX", 25)
    model = facts_by_name("gpt-4o")

    def count():
        return [bounds.text_tokens_max("0123456789", model=model) for _ in range(4)]

    for _ in range(2):
        assert bounds.count_within_limit(count) == [4, 4, 10, 10]
        assert count() == [4, 4, 4, 4]


def test_of_a_large_text_only_small_pieces_are_normalised_and_not_all_of_them(monkeypatch):
    sizes = []

    class Spy:
        def normalize(self, form, text):
            sizes.append(len(text.encode()))
            return unicodedata.normalize(form, text)

    monkeypatch.setattr(tokenizers, "unicodedata", Spy())
    size = 3 * 1_000_000
    assert 10 * size < bounds.utf8_max("\ufdfa" * 1_000_000) <= 11 * size
    assert max(sizes) < 16_000
    assert sum(sizes) < 200_000
