"""Shared costs are split to the last of nine places, by every rule."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from reports.cost_split import (
    BUCKET,
    SplitRule,
    divide,
    mark_up,
    received,
    split_costs,
    unallocated,
)

CENTRES = ["org", "ops", "research", "sales", BUCKET]
_names = st.sampled_from(CENTRES)
_amounts = st.decimals(-(10**9), 10**9, places=9)
_weights = st.dictionaries(st.sampled_from(CENTRES[:-1]), st.decimals(0, 100, places=3))


@st.composite
def _rules(draw):
    rules = []
    for source in draw(st.sets(_names)):
        method = draw(st.sampled_from(["fixed", "use", "even"]))
        weights = draw(_weights)
        if method == "fixed" and sum(weights.values()) > 100:
            weights = {}
        rules.append(SplitRule(source, method, weights))
    return rules


@given(_amounts, st.dictionaries(st.text(max_size=3), st.decimals("0.001", 100), min_size=1))
def test_parts_add_up_and_each_is_its_exact_share_but_for_one_billionth(amount, weights):
    parts = divide(amount, weights)
    assert sum(parts.values(), Decimal(0)) == amount
    total = sum(weights.values())
    for name, part in parts.items():
        assert abs(part - amount * weights[name] / total) < Decimal("2e-9")


@given(st.dictionaries(st.sampled_from(CENTRES[:-1]), _amounts), _rules())
def test_every_cent_is_with_one_cost_centre_or_in_the_bucket(costs, rules):
    parts = split_costs(costs, rules)
    held = {name: costs.get(name, Decimal(0)) + received(parts, name) for name in CENTRES[:-1]}
    assert sum(held.values(), unallocated(parts)) == sum(costs.values(), Decimal(0))
    again = split_costs(costs, rules[::-1])
    assert sorted(again) == sorted(parts)


def test_the_largest_remainders_are_rounded_up():
    weights = {"a": Decimal(1), "b": Decimal(1), "c": Decimal(1)}
    third = Decimal("33.333333333")
    assert divide(Decimal(100), weights) == {"a": third + Decimal("1e-9"), "b": third, "c": third}
    assert divide(Decimal(-100), weights)["a"] == -third - Decimal("1e-9")


def test_what_fixed_shares_lack_is_unallocated_and_its_own_rule_splits_that():
    ops = SplitRule("ops", "fixed", {"research": Decimal(60), "sales": Decimal(15)})
    parts = split_costs({"ops": Decimal(8)}, [ops])
    assert unallocated(parts) == 2 and received(parts, "ops") == -8
    rest = SplitRule(BUCKET, "use", {"research": Decimal(1), "sales": Decimal(3)})
    parts = split_costs({"ops": Decimal(8)}, [ops, rest])
    assert unallocated(parts) == 0
    assert received(parts, "sales") == Decimal("1.2") + Decimal("1.5")


def test_by_use_without_use_is_unallocated():
    rule = SplitRule("ops", "use", {"research": Decimal(0)})
    assert unallocated(split_costs({"ops": Decimal(3)}, [rule])) == 3


def test_a_mark_up_is_rounded_half_up():
    assert mark_up(Decimal("0.000000010"), Decimal("5")) == Decimal("0.000000001")
    assert mark_up(Decimal(200), Decimal("-2.5")) == Decimal(-5)
