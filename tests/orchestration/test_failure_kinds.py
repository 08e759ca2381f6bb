"""A refusal of the books or of the gateway becomes one kind of failure, however it arrives."""

import pytest

from gateway.error_responses import SHAPES
from gateway.refusals import AlreadyCalled, CannotBeBounded
from keys.refusals import AgentDisabled, Busy, LimitReached
from orchestration.failure_kinds import KIND_OF_REFUSAL, kind_of, kind_of_code
from orchestration.runners.base import KINDS


def test_every_kind_of_the_table_exists():
    assert set(KIND_OF_REFUSAL.values()) <= set(KINDS)


@pytest.mark.parametrize("refusal", KIND_OF_REFUSAL)
def test_class_and_code_of_a_refusal_are_the_same_kind(refusal):
    assert kind_of_code(refusal.code) == KIND_OF_REFUSAL[refusal]


def test_a_limit_without_room_is_waited_for():
    assert (
        kind_of(LimitReached(needed=1, windows=[], next_reset=None, budget_requests=""))
        == "no_capacity"
    )
    assert kind_of(Busy()) == "no_capacity"


def test_a_call_that_was_made_before_is_lost():
    assert kind_of(AlreadyCalled("Again.", charge_id=1, charge_status="settled")) == "lost"


def test_what_is_not_in_the_table_is_refused():
    assert kind_of(AgentDisabled(agent="ada")) == "refused"
    assert kind_of_code(CannotBeBounded.code) is None


def test_what_clients_may_retry_is_never_refused_for_good():
    retried = [refusal for refusal, shape in SHAPES.items() if shape.retry]
    assert retried
    assert all(KINDS[KIND_OF_REFUSAL[refusal]].retryable for refusal in retried)
