"""Effects of groups on logarithms: model, agent, kind, kind of an agent; each shrunk to its parent.

An effect of n rows counts n / (n + s): with few rows, what holds for all holds for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prediction.learning.rows import Group

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_ROUNDS = 8
_MOVED_MIN = 0.002


class Level(NamedTuple):
    """A way to group rows; `shrink`: as many rows as make an effect count half."""

    name: str
    fields: tuple[str, ...]
    shrink: float


LEVELS = (
    Level("model", ("model",), 10),
    Level("agent", ("agent",), 10),
    Level("kind", ("kind",), 20),
    Level("agent's kind", ("agent", "kind"), 20),
)


class Effect(NamedTuple):
    """How much a group differs, in logarithms by target, and of how many rows."""

    values: Floats
    rows: int


@dataclass(frozen=True, slots=True)
class Effects:
    """The mean of all, and the effects by level and group."""

    mean: Floats
    levels: Mapping[str, Mapping[str, Effect]]

    def of(self, group: Group) -> dict[str, Effect]:
        """The known effects of a group by the name of their level."""
        found = {}
        for level in LEVELS:
            effect = self.levels.get(level.name, {}).get(key_of(group, level))
            if effect is not None:
                found[level.name] = effect
        return found

    def expected(self, group: Group) -> Floats:
        """What is expected of a group without regard to the text."""
        total = self.mean.copy()
        for effect in self.of(group).values():
            total += effect.values
        return total


def key_of(group: Group, level: Level) -> str:
    """The name of the group on a level."""
    return "\x1f".join(getattr(group, field) for field in level.fields)


def fit(values: Floats, groups: Sequence[Group], group: Ints) -> tuple[Effects, Floats]:
    """Fit effects to `values` (rows × targets) by turns. Returns them, and the leverage of each
    row: the share of itself in what is expected of its group."""
    mean = values.mean(0)
    member: dict[str, Ints] = {}
    fitted: dict[str, Floats] = {}
    names: dict[str, list[str]] = {}
    sizes: dict[str, Ints] = {}
    for level in LEVELS:
        keys = [key_of(each, level) for each in groups]
        distinct = sorted(set(keys))
        at = {key: place for place, key in enumerate(distinct)}
        rows = np.array([at[key] for key in keys], np.int64)[group]
        if _same_as_one(rows, member):
            continue
        member[level.name], names[level.name] = rows, distinct
        sizes[level.name] = np.bincount(rows, minlength=len(distinct))
        fitted[level.name] = np.zeros((len(distinct), values.shape[1]))
    shrink = {level.name: level.shrink for level in LEVELS}
    rest = values - mean
    for _ in range(_ROUNDS):
        moved = 0.0
        for name, rows in member.items():
            rest += fitted[name][rows]
            sums = _sums(rows, rest, len(names[name]))
            shrunk = sums / (sizes[name] + shrink[name])[:, None]
            moved = max(moved, float(np.abs(shrunk - fitted[name]).max()))
            fitted[name] = shrunk
            rest -= shrunk[rows]
        if moved < _MOVED_MIN:
            break
    leverage = np.full(len(values), 1 / max(len(values), 1))
    for name, rows in member.items():
        leverage += 1 / (sizes[name] + shrink[name])[rows]
    levels = {
        name: {
            key: Effect(fitted[name][at], int(sizes[name][at]))
            for at, key in enumerate(names[name])
            if sizes[name][at]
        }
        for name in member
    }
    return Effects(mean, levels), np.minimum(leverage, 0.5)


def _same_as_one(rows: Ints, earlier: Mapping[str, Ints]) -> bool:
    """Whether a level groups the rows as an earlier one does, or not at all."""
    if not len(rows) or (rows == rows[0]).all():
        return True
    top = int(rows.max()) + 1
    for other in earlier.values():
        pairs = len(np.unique(other * top + rows))
        if pairs == len(np.unique(other)) == len(np.unique(rows)):
            return True
    return False


def _sums(rows: Ints, values: Floats, size: int) -> Floats:
    return np.stack([np.bincount(rows, column, minlength=size) for column in values.T], axis=1)
