"""Which line is which transfer, as pure rules."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from treasury.rail_statements.matching import (
    LineSide,
    OwnSide,
    match,
    names_in,
    references_of,
)

DAY = date(2026, 3, 10)
LATER = DAY + timedelta(days=40)
_numbers = count(1)


def line(amount, *references, day=DAY, kind="movement", text=""):
    named = references_of(*references)
    return LineSide(next(_numbers), day, Decimal(amount), kind, named, named | names_in(text))


def own(amount, *references, day=DAY, journal=None):
    number = next(_numbers)
    return OwnSide(number, day, Decimal(amount), journal or str(number), references_of(*references))


def pairs(outcome):
    return {(each.line_id, each.transfer_id, each.rule) for each in outcome.matches}


def kinds(outcome):
    return [each.kind for each in outcome.unmatched]


def test_a_reference_counts_more_than_a_day():
    far, near = own(-20, "pi_3NabcXYZ", day=DAY - timedelta(days=9)), own(-20, "pi_other1")
    one = line(-20, "PI-3nabcxyz")
    outcome = match([one], [near, far], until=DAY)
    assert pairs(outcome) == {(one.id, far.id, "reference")} and kinds(outcome) == []


def test_a_reference_is_found_in_the_description_if_it_has_a_digit():
    paid = own(-20, "INV-2041", day=DAY - timedelta(days=9))
    one = line(-20, text="Transfer for invoice inv-2041, thanks")
    assert pairs(match([one], [paid], until=DAY)) == {(one.id, paid.id, "reference")}
    assert names_in("transfer payment thanks") == frozenset()


def test_a_payment_and_its_fee_are_one_line_or_two():
    paid, fee = own(-20, "pay-100", journal="j"), own("-0.88", "pay-100", journal="j")
    both = line("-20.88", "pay-100")
    assert pairs(match([both], [paid, fee], until=DAY)) == {
        (both.id, paid.id, "journal"),
        (both.id, fee.id, "journal"),
    }
    first, second = line(-20, "pay-100"), line("-0.88", "pay-100", kind="fee")
    assert pairs(match([first, second], [paid, fee], until=DAY)) == {
        (first.id, paid.id, "reference"),
        (second.id, fee.id, "reference"),
    }


def test_the_amount_alone_counts_within_three_days_and_the_nearest_first():
    near, far = own(-20, day=DAY - timedelta(days=1)), own(-20, day=DAY - timedelta(days=3))
    too_far = own(-20, day=DAY - timedelta(days=4))
    one, two, three = line(-20), line(-20), line(-20)
    outcome = match([one, two, three], [too_far, far, near], until=DAY)
    assert pairs(outcome) == {(one.id, near.id, "amount"), (two.id, far.id, "amount")}
    assert kinds(outcome) == ["missing_line", "missing_transfer"]


def test_what_is_left_has_its_kind():
    booked, changed = own(-20, "pay-100"), own(-30, "pay-200")
    lines = [
        line(-20, "pay-100"),
        line(-20, "pay-100"),
        line(-31, "pay-200"),
        line("-0.88", "pay-300", kind="fee"),
        line(7, "pay-400"),
    ]
    outcome = match(lines, [booked, changed], until=LATER)
    assert kinds(outcome) == ["double", "other_amount", "fee", "missing_transfer"]
    (other,) = [each for each in outcome.unmatched if each.kind == "other_amount"]
    assert (other.own, other.theirs, other.transfer_id) == (-30, -31, changed.id)


def test_what_comes_twice_in_two_statements_is_found():
    before = line(-20, "pay-100", day=DAY - timedelta(days=5))
    again = line(-20, "pay-100")
    outcome = match([again], [], until=DAY, earlier=dict.fromkeys(before.references, before))
    assert kinds(outcome) == ["double"]


def test_a_transfer_of_the_last_days_may_still_come():
    late, due = own(-20, day=DAY - timedelta(days=2)), own(-30, day=DAY - timedelta(days=3))
    (found,) = match([], [late, due], until=DAY).unmatched
    assert (found.kind, found.transfer_id, found.own) == ("missing_line", due.id, -30)


_days = st.integers(0, 6).map(lambda number: DAY + timedelta(days=number))
_amounts = st.sampled_from([Decimal(-20), Decimal(5), Decimal("-0.88")])
_names = st.sampled_from(["", "pay-100", "pay-200"])
_sides = st.lists(st.tuples(_days, _amounts, _names), max_size=8)


@settings(max_examples=60, deadline=None)
@given(_sides, _sides)
def test_each_side_is_matched_once_or_told_once(left, right):
    lines = [line(amount, name, day=day) for day, amount, name in left]
    transfers = [own(amount, name, day=day) for day, amount, name in right]
    outcome = match(lines, transfers, until=LATER)
    told_lines = [each.line_id for each in outcome.unmatched if each.line_id]
    told_transfers = [each.transfer_id for each in outcome.unmatched if each.transfer_id]
    matched = [each.transfer_id for each in outcome.matches]
    assert sorted([*{each.line_id for each in outcome.matches}, *told_lines]) == sorted(
        each.id for each in lines
    )
    assert sorted([*matched, *told_transfers]) == sorted(each.id for each in transfers)
    # What is left makes up what the two sides differ by.
    rest = sum(each.theirs - each.own for each in outcome.unmatched)
    assert rest == sum(each.amount for each in lines) - sum(each.amount for each in transfers)
