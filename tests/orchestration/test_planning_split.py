"""A budget is split by estimates and priorities, exactly, and never over-spent."""

from fractions import Fraction
from math import ceil
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.planning import WEIGHTS, Part, keyword_plan, shares_within, split
from orchestration.refusals import BudgetTooSmall


def part(estimate=1000, priority="medium"):
    return Part(key="a", name="a", description="a", estimated_tokens=estimate, priority=priority)


ONE = st.builds(part, st.integers(1, 10**7), st.sampled_from(sorted(WEIGHTS)))
PARTS = st.lists(ONE, min_size=1, max_size=40)


def by_the_rule(parts, available):
    """The rule as it is written down, in fractions; not scaled."""
    estimates = sum(one.estimated_tokens for one in parts)
    return [
        ceil(
            Fraction(one.estimated_tokens) * Fraction(WEIGHTS[one.priority]) * available
            / estimates / 100
        ) * 100
        for one in parts
    ]  # fmt: skip


def test_three_equal_parts_share_exactly_the_budget():
    parts = keyword_plan("Research market trends, analyze data, write report")
    # 33,333.3 each, rounded up to 33,400: 100,200 is more than there is.
    assert split(parts, total=100_000) == [33_334, 33_333, 33_333]


def test_what_fits_is_rounded_up_to_the_next_hundred():
    parts = [part(1000, "low"), part(2000, "low"), part(4000)]
    assert split(parts, total=10_000) == [800, 1500, 5800]
    assert split([part(1000, "low"), part(1000)], total=10_000) == [2500, 5000]


def test_priorities_weigh():
    parts = [part(priority=priority) for priority in ("low", "medium", "high", "critical")]
    # 2.5, 5, 7.5 and 10 thousand are 25: a fifth too many.
    assert split(parts, total=20_000) == [2_000, 4_000, 6_000, 8_000]


def test_the_reserve_is_kept():
    assert split([part(), part()], total=10_000, reserve=2_000) == [4_000, 4_000]


def test_a_budget_too_small_for_all_is_refused_with_what_is_needed():
    assert sum(split([part()] * 3, total=400, reserve=100)) == 300
    with pytest.raises(BudgetTooSmall) as caught:
        split([part()] * 3, total=399, reserve=100)
    assert caught.value.facts() == {"needed": 400, "budget": 399, "reserve": 100}
    assert "of which 100 are kept for retries" in caught.value.detail


def test_shares_that_fit_are_left_alone():
    assert shares_within([3, 4], total=7) == [3, 4]
    assert shares_within([], total=0) == []


def test_the_largest_remainders_get_what_is_left_over():
    # 1.5, 2.5 and 6: the earlier of two equal remainders.
    assert shares_within([3, 5, 12], total=10) == [2, 2, 6]
    assert shares_within([10, 1], total=10) == [9, 1]


def test_no_share_falls_to_nothing():
    assert shares_within([1, 1, 1, 1000], total=10) == [1, 1, 1, 7]
    with pytest.raises(BudgetTooSmall):
        shares_within([1, 1, 1, 1000], total=3)


@given(PARTS, st.integers(0, 10**9), st.integers(0, 10**6))
def test_shares_are_what_the_rule_gives_and_never_more_than_there_is(parts, more, reserve):
    available = 100 * len(parts) + more
    shares = split(parts, total=available + reserve, reserve=reserve)
    rule = by_the_rule(parts, available)
    if sum(rule) <= available:
        assert shares == rule
    else:
        assert sum(shares) == available
        exact = [Fraction(share * available, sum(rule)) for share in rule]
        assert all(abs(share - right) < 1 for share, right in zip(shares, exact, strict=True))
    assert min(shares) >= 1


@given(PARTS, st.integers(0, 10**9))
def test_who_weighs_more_gets_no_less_but_for_the_last_token(parts, more):
    shares = split(parts, total=100 * len(parts) + more)
    weights = [one.estimated_tokens * WEIGHTS[one.priority] for one in parts]
    by_weight = sorted(zip(weights, shares, strict=True))
    for (lighter, less), (heavier, share) in zip(by_weight, by_weight[1:], strict=False):
        # Rounded to the same hundred, the earlier of two gets the token left over.
        assert share >= less - 1
        assert share <= less + 1 or heavier > lighter


@given(PARTS, st.integers(0, 10**9), st.randoms())
def test_the_order_of_parts_moves_no_more_than_one_token(parts, more, chance):
    total = 100 * len(parts) + more
    shuffled = list(enumerate(parts))
    chance.shuffle(shuffled)
    moved = split([one for _, one in shuffled], total=total)
    shares = split(parts, total=total)
    assert all(abs(shares[at] - m) <= 1 for (at, _), m in zip(shuffled, moved, strict=True))
    assert sum(shares) == sum(moved)


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=40), st.integers(0, 10**13))
def test_scaling_sums_exactly_and_keeps_the_order(shares, more):
    total = len(shares) + more
    found = shares_within(shares, total=total)
    assert sum(found) == min(sum(shares), total)
    assert min(found) >= 1
    ranked = sorted(zip(shares, found, strict=True))
    assert all(b >= a - 1 for (_, a), (_, b) in zip(ranked, ranked[1:], strict=False))


def test_ten_thousand_are_quick():
    parts = [part(1000 + number, sorted(WEIGHTS)[number % 4]) for number in range(10_000)]
    begun = process_time()
    assert sum(split(parts, total=10**9)) == 10**9
    assert process_time() - begun < 0.2  # 0.01 was measured
