"""A refusal: its code follows its name, its fields are facts as JSON has them."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pytest

from common.refusal import Refusal
from tests.moments import NOON


@dataclass(frozen=True)
class Line:
    """A part of a refusal."""

    name: str
    amount: Decimal


@dataclass(kw_only=True, eq=False)
class CapReached(Refusal):
    """Made up for these tests."""

    lines: list[Line]
    next_reset: datetime | None
    hint: str | None = None

    def sentence(self) -> str:
        return f"{len(self.lines)} lines are full."


def cap(**changes):
    """A refusal with one line."""
    return CapReached(**{"lines": [Line("a", Decimal("1E-9"))], "next_reset": NOON} | changes)


def test_the_code_is_the_name_of_the_class():
    assert (CapReached.code, cap().code) == ("cap_reached", "cap_reached")


def test_the_sentence_is_its_own_unless_one_is_given():
    assert (cap().detail, str(cap())) == ("1 lines are full.", "1 lines are full.")
    assert str(CapReached("Too late.", lines=[], next_reset=None)) == "Too late."


def test_one_without_a_sentence_cannot_be_raised():
    with pytest.raises(NotImplementedError, match="Refusal was raised without a sentence"):
        Refusal()


def test_facts_are_json_and_leave_out_optional_fields_that_are_not_set():
    facts = cap().facts()
    assert json.loads(json.dumps(facts)) == {
        "lines": [{"name": "a", "amount": "0.000000001"}],
        "next_reset": "2026-03-10T12:00:00+00:00",
    }
    assert cap(next_reset=None, hint="wait").facts()["next_reset"] is None
    assert cap(hint="wait").facts()["hint"] == "wait"


def test_what_json_cannot_say_is_a_bug():
    with pytest.raises(TypeError, match="cannot say a set"):
        cap(hint={"wait"}).facts()


def test_two_refusals_are_two_although_they_say_the_same():
    assert len({cap(), cap()}) == 2
