"""First attempts of the last 30 days as arms: what one kind of work costs, and how it ended."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from orchestration.queries.first_attempts import FirstAttempt
from prediction.savings.cheaper import Month
from prediction.savings.costs import Arm

# Of each arm: the newest ones are enough for an interval.
_TRIES_MAX = 2_000


class Kind(NamedTuple):
    """A kind of work: the parts of an agent that a runner carries out."""

    agent: str
    cost_centre: str
    runner: str


def kind_of(each: FirstAttempt) -> Kind:
    """The kind of work of an attempt."""
    return Kind(each.agent, each.cost_centre, each.runner)


def arm(made: Sequence[FirstAttempt]) -> Arm:
    """The newest of these attempts, which are in that order."""
    newest = made[:_TRIES_MAX]
    return Arm(
        np.array([float(each.cost) for each in newest]),
        np.array([float(each.succeeded) for each in newest]),
    )


def month(made: Sequence[FirstAttempt]) -> Month:
    """What all of these attempts cost."""
    return Month(float(sum(each.cost for each in made)), sum(each.succeeded for each in made))
