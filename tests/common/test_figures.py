"""Numbers and moments as people read them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from common import formatting
from tests.moments import NOON


@pytest.mark.parametrize(("number", "words"), [(0, "0 rows"), (1, "1 row"), (1_200, "1,200 rows")])
def test_a_count_has_its_plural(number, words):
    assert formatting.count(number, "row") == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (9_999, "9.99k"),
        (28_500_000, "28.5M"),
        (999_999_999, "999M"),
        (Decimal("5000000.000000000"), "5M"),
        (2 * 10**12, "2T"),
        (-1_500, "-1.5k"),
    ],
)
def test_a_large_number_is_short_and_never_more_than_there_is(number, words):
    assert formatting.short(number) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0", "$0.00"),
        ("1234.5", "$1,234.50"),
        ("0.5", "$0.50"),
        ("0.04213", "$0.0421"),
        ("0.000132000", "$0.000132"),
        ("0.000000001", "$0.000000001"),
    ],
)
def test_dollars_keep_the_places_that_matter(amount, words):
    assert formatting.dollars(Decimal(amount)) == words


def test_numbers_are_grouped_with_the_decimals_they_have():
    assert formatting.group_digits(1234567) == "1,234,567"
    assert formatting.group_digits(Decimal("1234.500000000")) == "1,234.5"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (40, "40 s"), (720, "12 min"), (11_520, "3 h 12 min"), (90_000, "1 d 1 h")],
)
def test_a_duration_has_its_two_largest_parts(seconds, words):
    assert formatting.duration(timedelta(seconds=seconds)) == words


def test_a_reset_is_told_in_its_own_zone():
    """O19."""
    midnight = datetime(2026, 3, 11, tzinfo=UTC)
    assert formatting.reset(midnight, zone="UTC", now=NOON) == "resets at 00:00 UTC, in 12 h"
    berlin = formatting.reset(midnight, zone="Europe/Berlin", now=NOON)
    assert berlin == "resets at 01:00 Europe/Berlin, in 12 h"
    april = datetime(2026, 4, 1, tzinfo=UTC)
    assert (
        formatting.reset(april, zone="UTC", now=NOON)
        == "resets on 1 Apr at 00:00 UTC, in 21 d 12 h"
    )
    assert (
        formatting.reset(datetime(9999, 1, 1, tzinfo=UTC), zone="UTC", now=NOON) == "never resets"
    )


@pytest.mark.parametrize(
    ("part", "whole", "percent"), [(1, 3, "33.3"), (5, 4, "100.0"), (0, 0, "0"), (1, 0, "100")]
)
def test_a_percentage_stays_from_0_to_100(part, whole, percent):
    assert formatting.percent(part, whole) == Decimal(percent)
