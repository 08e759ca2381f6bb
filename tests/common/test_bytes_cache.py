"""What is remembered of texts is bounded by their bytes, not by their number."""

from itertools import count

import pytest

from common import bytes_cache
from common.bytes_cache import cached_within_bytes


@pytest.fixture
def computed(monkeypatch):
    """A cached function that returns how often it was computed."""
    monkeypatch.setattr(bytes_cache, "_TEXT_BYTES_MAX", 1_000)
    monkeypatch.setattr(bytes_cache, "_BYTES_MAX", 10_000)
    numbers = count()
    return cached_within_bytes(lambda text, *args: next(numbers))


def test_the_same_text_with_the_same_arguments_is_computed_once(computed):
    assert [computed(b"a", 1), computed(b"a", 1), computed(b"a", 2), computed(b"b", 1)] == [
        0,
        0,
        1,
        2,
    ]


def test_a_large_text_is_not_remembered(computed):
    assert [computed(b"x" * 1_001) for _ in range(3)] == [0, 1, 2]
    assert [computed(b"x" * 1_000) for _ in range(3)] == [3, 3, 3]


@pytest.mark.parametrize("size", [0, 1_000])
def test_all_that_is_remembered_is_bounded(computed, size):
    texts = [b"%d" % number + b"x" * (size - 3) for number in range(100)]
    first = [computed(text) for text in texts]
    again = [computed(text) for text in reversed(texts)]
    kept = sum(number in first for number in again)
    assert 3 < kept < 10


def test_what_was_not_used_for_longest_is_forgotten(computed):
    computed(b"first")
    for number in range(30):
        computed(b"%d" % number)
        assert computed(b"first") == 0


def test_an_error_is_not_remembered():
    def fail(text):
        raise ValueError(text)

    cached = cached_within_bytes(fail)
    for _ in range(2):
        with pytest.raises(ValueError, match="a"):
            cached(b"a")
