"""A text becomes a number of tokens by the rule, quickly, or is refused with a code."""

from decimal import Decimal
from math import ceil
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.refusal import Refusal
from prediction import services as prediction

MEGABYTE = 1_000_000


def words(count, *special):
    return " ".join([*special, *["word"] * (count - len(special))])


def test_the_example_of_the_seed_comes_out():
    found = prediction.estimate(words(150, "code", "integration"))
    assert (found.base, found.multiplier, found.estimated) == (200, Decimal("2.5"), 500)
    assert found.confidence == Decimal("0.8")
    assert found.reasoning == (
        "150 words at 0.75 words per token are 200 tokens. "
        "The text asks for code (×2), integration (×1.5): × 2.5 makes 500 tokens."
    )


@pytest.mark.parametrize(
    ("special", "multiplier", "confidence"),
    [
        ([], "1", "0.6"),
        (["code"], "2", "0.7"),
        (["API"], "1.5", "0.7"),
        (["integration"], "1.5", "0.7"),
        (["sub-agents"], "1", "0.6"),
        (["code", "API"], "2.5", "0.7"),
        (["API", "integration"], "2", "0.8"),
        (["code", "API", "integration", "sub-agents"], "3", "0.8"),
        (["code", "code", "coding"], "2", "0.7"),
    ],
)
def test_each_trait_counts_once(special, multiplier, confidence):
    found = prediction.estimate(words(75, *special))
    assert found.multiplier == Decimal(multiplier)
    assert found.confidence == Decimal(confidence)
    assert found.estimated == 100 * Decimal(multiplier)


@pytest.mark.parametrize(
    ("word", "trait"),
    [("Code", "code"), ("CODING", "code"), ("(codebase)", "code"), ("implementing", "code"),
     ("re-implementation", "code"), ("review_code", "code"), ("APIs", "API"), ("API's", "API"),
     ("rest_api", "API"), ("endpoints", "API"), ("Integrates", "integration"),
     ("**integrated**", "integration"), ("sub-agent", "sub-agents"), ("Subagents", "sub-agents"),
     ("sub agent", "sub-agents")],
)  # fmt: skip
def test_inflections_in_any_case_are_recognised(word, trait):
    assert prediction.estimate(f"Please: {word}.").traits == (trait,)


@pytest.mark.parametrize(
    "word",
    ["decode", "encoder", "barcode", "codex", "capital", "rapid", "apiary", "integral", "integrity",
     "disintegration", "code2", "décode", "subscription agent", "substitute"],
)  # fmt: skip
def test_parts_of_other_words_are_not(word):
    assert prediction.estimate(f"Please: {word}.").traits == ()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n\t ", 0),
        ("one", 1),
        ("# Title\n\n- a list", 5),
        ("你好,世界", 4),
        ("「你好。」 hello", 3),
        ("ひらがなカタカナ", 8),
        ("한국어 단어", 2),
        ("naïve café — ok", 4),
        ("использовать слово", 2),
    ],
)
def test_words_stand_between_white_space_except_in_chinese_and_japanese(text, count):
    assert prediction.estimate(text).words == count


@given(st.integers(0, 3000), st.sets(st.sampled_from(["code", "API", "integration"])))
def test_the_rule_holds_for_any_number_of_words_and_rounds_up_once(count, special):
    found = prediction.estimate(words(count + len(special), *special))
    weight = {"code": 10, "API": 5, "integration": 5}
    tenfold = 10 + sum(weight[name] for name in special)
    assert found.estimated == ceil((count + len(special)) * 4 * tenfold / 30)
    assert found.base == -(-(count + len(special)) * 4 // 3)
    assert found.confidence <= Decimal("0.95")


@given(st.text())
def test_no_text_is_too_strange(text):
    found = prediction.estimate(text)
    assert found.estimated >= found.base >= found.words >= 0


@pytest.mark.parametrize(
    "text",
    [
        "x" * MEGABYTE,
        " " * MEGABYTE,
        "\n" * MEGABYTE,
        "你" * (MEGABYTE // 3),
        "a " * (MEGABYTE // 2),
        "。" * (MEGABYTE // 3),
        "你 " * (MEGABYTE // 4),
        "sub " * (MEGABYTE // 4),
        "decode " * (MEGABYTE // 7),
        "sub" + " " * MEGABYTE,
        "implementatio " * (MEGABYTE // 14),
        "cod" * (MEGABYTE // 3),
        "é " * (MEGABYTE // 3),
        "İ" * (MEGABYTE // 2),
        "_" * MEGABYTE,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_a_megabyte_of_anything_takes_a_moment(text):
    times = []
    for _ in range(3):
        begun = process_time()
        prediction.estimate(text)
        times.append(process_time() - begun)
    assert (
        min(times) < 0.2
    )  # CPU seconds; 0.01 to 0.08 were measured, a quadratic step takes minutes


def test_a_text_of_the_largest_size_is_read():
    assert len(prediction.check_text(b"x" * MEGABYTE)) == MEGABYTE


def test_a_byte_order_mark_is_left_out():
    assert prediction.check_text(b"\xef\xbb\xbf# Title") == "# Title"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"x" * (MEGABYTE + 1), "text_too_large"),
        (b"", "text_empty"),
        (b" \r\n\t", "text_empty"),
        (b"\xef\xbb\xbf", "text_empty"),
        ("\u3000\u00a0".encode(), "text_empty"),
        (b"a\0b", "text_binary"),
        ("Hallo".encode("utf-16"), "text_binary"),
        ("Grüße".encode("latin-1"), "text_not_utf8"),
        (b"\xc0\x80", "text_not_utf8"),
        ("\ud800".encode("utf-8", "surrogatepass"), "text_not_utf8"),
    ],
)
def test_what_is_no_text_is_refused_with_its_code(raw, code):
    with pytest.raises(Refusal) as refusal:
        prediction.check_text(raw)
    assert refusal.value.code == code
    assert refusal.value.detail.endswith(".")


@given(st.binary(max_size=50))
def test_bytes_are_text_or_refused(raw):
    try:
        assert prediction.check_text(raw).strip()
    except Refusal as refusal:
        assert refusal.code.startswith("text_")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "text/markdown", "Text/Markdown; charset=UTF-8"]
)
def test_plain_text_and_markdown_are_accepted(content_type):
    prediction.check_content_type(content_type)


@pytest.mark.parametrize("content_type", ["", "application/pdf", "text/html", "text/plainer"])
def test_a_file_of_another_type_is_refused(content_type):
    with pytest.raises(prediction.UnsupportedTextType) as refusal:
        prediction.check_content_type(content_type)
    assert refusal.value.supported == ["text/plain", "text/markdown"]


spaces = st.sampled_from(" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2003\u2028\u3000")


@given(
    st.lists(
        st.sampled_from(["a", "ü", "ß-", "«", "你", "。", "é", "カ", "न"]) | spaces, max_size=12
    )
)
def test_words_are_what_stands_between_white_space(pieces):
    text = "".join(pieces)
    one = "你カ"
    rest = "".join(" " if character in one else character for character in text)
    characters = sum(character in one for character in text)
    words = [word for word in rest.split() if not characters or any(map(str.isalnum, word))]
    assert prediction.count_words(text) == characters + len(words)
