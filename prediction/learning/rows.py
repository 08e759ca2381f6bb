"""The rows that are learned from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prediction.learning.terms import Sketch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# What is forecast of a piece of work; `tokens` are input and output together.
TARGETS = ("tokens", "calls", "input", "output", "reasoning")


class Group(NamedTuple):
    """Whose work it is: the model that does it, the agent, and the kind of work."""

    model: str
    agent: str
    kind: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Settled work in the order of settlement.

    `values`: rows × TARGETS, at least 0. `groups`: the distinct groups; `group`: the index of each
    row's. `sketches`: the distinct texts; `text`: the index of each row's, -1 without one.
    `censored`: it was cut off, so the values are lower bounds. `rule`: what the rule of words says.
    """

    values: Floats
    groups: Sequence[Group]
    group: Ints
    sketches: Sequence[Sketch]
    text: Ints
    censored: NDArray[np.bool_]
    rule: Floats

    def __len__(self) -> int:
        return len(self.values)

    @property
    def logs(self) -> Floats:
        """The logarithms of the values."""
        return np.log(np.maximum(self.values, 1))

    def part(self, chosen: Ints | NDArray[np.bool_]) -> "Rows":
        """Some of the rows, with the same groups and texts."""
        return replace(
            self,
            values=self.values[chosen],
            group=self.group[chosen],
            text=self.text[chosen],
            censored=self.censored[chosen],
            rule=self.rule[chosen],
        )
