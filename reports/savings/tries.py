"""First attempts of the last 30 days as arms: what one kind of work costs, and how it ended."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from orchestration.queries.first_attempts import FirstAttempt
from orchestration.queries.repeated_attempts import RepeatedAttempts
from prediction.savings.cheaper import Month
from prediction.savings.costs import Arm
from prediction.savings.portions import Spent, portion

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


def spent(made: Iterable[FirstAttempt]) -> Spent:
    """What these attempts cost, by portion of the spend (USD)."""
    portions: dict[str, float] = defaultdict(float)
    for each in made:
        who = (each.agent, each.runner, each.api_key, each.model)
        asked = (each.asked_model, each.asked_provider)
        portions[portion(*who, *asked, _outcome(each))] += float(each.cost)
    return portions


def spent_on_failures(failed: Iterable[RepeatedAttempts]) -> Spent:
    """The same of failed attempts that were tried again."""
    portions: dict[str, float] = defaultdict(float)
    for each in failed:
        who = (each.agent, each.runner, each.api_key or "", each.model)
        asked = (each.asked_model, each.asked_provider)
        outcome = _failure(each.number, each.error_kind, is_repeated=True)
        portions[portion(*who, *asked, outcome)] += float(each.cost)
    return portions


def _outcome(each: FirstAttempt) -> str:
    if each.succeeded:
        return "succeeded"
    return _failure(1, each.error_kind, is_repeated=each.is_repeated)


def _failure(number: int, error_kind: str, *, is_repeated: bool) -> str:
    return f"{min(number, 2)} {error_kind} {'repeated' if is_repeated else 'final'}"
