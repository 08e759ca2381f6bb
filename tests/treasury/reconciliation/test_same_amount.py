"""The provider's sums of the same amount are found as by comparing each with each."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from treasury.reconciliation.differences import Group, Tolerance
from treasury.reconciliation.lines import Line
from treasury.reconciliation.same_amount import SameAmount
from treasury.reconciliation.sides import Side

DAYS = [date(2026, 3, 1), date(2026, 3, 2)]
_amounts = st.integers(-300, 300).map(lambda cents: Decimal(cents) / 100)
_groups = st.builds(Group, st.sampled_from(DAYS), st.sampled_from("ab"), st.sampled_from("mnop"))
_bills = st.dictionaries(_groups, _amounts, max_size=16)


@given(own=_bills, billed=_bills, relative=st.sampled_from(["0", "0.001", "0.1"]))
def test_it_finds_what_comparing_each_with_each_finds(own, billed, relative):
    tolerance = Tolerance(relative=Decimal(relative))
    others = [
        Side(group, lines=[Line(*group, "cost", None, amount)])
        for group, amount in billed.items()
        if group not in own
    ]
    left = {side.group: side for side in others}
    fast, also_left = SameAmount(others, tolerance), dict(left)
    for group, amount in own.items():
        expected = next(
            (
                other
                for other in others
                if other.group in left
                and other.group.day == group.day
                and (other.group.key == group.key) != (other.group.model == group.model)
                and tolerance.allows(amount, other.theirs)
            ),
            None,
        )
        assert fast.first(Side(group, amount, is_metered=True), also_left) is expected
        if expected:
            del left[expected.group], also_left[expected.group]
