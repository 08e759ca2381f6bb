"""Three weak models of a text, averaged: what is expected of one that was never seen.

Each is linear in what it learns from, so that its held-back residuals (as if the text had been left
out) follow from one fit, and several targets are learned at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from prediction.learning.terms import Sketch
from prediction.learning.text_index import TextIndex

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Round numbers, the first that were tried: no fold that is measured on chose them.
RIDGE = 1.0
NEIGHBOURS = 25
_WEIGHT_MIN = 1e-4
COUNTS_RIDGE = 30.0
COSINES = 300
_WIDTH = 0.06
# More would not stay in the cache of the processor.
_AT_ONCE = 32
# Of shorter texts, which have fewer buckets that are known, twice as many do.
_BUCKETS_SHORT = 64
# Texts whose buckets are looked up together: more take memory and no less time.
_ASKED_AT_ONCE = 512
SEED = 20_260_801


@dataclass(frozen=True)
class TextModels:
    """The fitted models: of similarity (ridge and neighbours) and of counts.

    `values`: what was learned of each text (texts × targets); `duals`: the ridge's coefficients.
    """

    index: TextIndex
    values: Floats
    duals: Floats
    centre: Floats
    count_mean: Floats
    count_scale: Floats
    count_weights: Floats

    def predict(self, sketches: Sequence[Sketch]) -> Floats:
        """The mean of the three for each text: texts × targets."""
        if len(sketches) == 1:
            return self._predict_one(sketches[0])
        parts = [
            self._predict(sketches[start : start + _ASKED_AT_ONCE])
            for start in range(0, len(sketches), _ASKED_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.values.shape[1]))

    def _predict(self, sketches: Sequence[Sketch]) -> Floats:
        asked = self.index.query([sketch.terms for sketch in sketches])
        counts = np.array([sketch.counts for sketch in sketches], float)
        scaled = (counts - self.count_mean) / self.count_scale
        is_short = len(asked.position) < _BUCKETS_SHORT * asked.size
        parts = asked.parts(2 * _AT_ONCE if is_short else _AT_ONCE)
        similar = [_nearest(self.index.similarities(part), self.values) for part in parts]
        counted = [
            _cosines(scaled[start : start + _AT_ONCE]) @ self.count_weights
            for start in range(0, len(sketches), _AT_ONCE)
        ]
        linear = asked.sums(self._of_buckets) + np.concatenate(counted)
        mean: Floats = (2 * self.centre + linear + np.concatenate(similar)) / 3
        return mean

    def _predict_one(self, sketch: Sketch) -> Floats:
        """The same of one text, as a row, without what only several need."""
        asked = self.index.query([sketch.terms])
        similar = self.index.similarities(asked)[0]
        nearest = _largest_of_one(similar, min(NEIGHBOURS, len(similar)))
        weight = np.maximum(similar[nearest], _WEIGHT_MIN)
        near = weight @ self.values[nearest] / weight.sum()
        scaled = (sketch.counts - self.count_mean) / self.count_scale
        linear = asked.weight @ self._of_buckets[asked.position]
        linear += _cosines(scaled) @ self.count_weights
        mean: Floats = (2 * self.centre + linear + near) / 3
        return mean[None]

    @cached_property
    def _of_buckets(self) -> Floats:
        """The ridge by bucket: what it says of a text follows without the learned texts."""
        return self.index.sums(self.duals)


def fit(sketches: Sequence[Sketch], values: Floats, weights: Floats) -> tuple[TextModels, Floats]:
    """Fit the models to `values` (texts × targets), the weight of a text being how often it was
    seen. Returns them, and what each text would have been expected to need without itself."""
    index = TextIndex.of([sketch.terms for sketch in sketches])
    centre = np.average(values, axis=0, weights=weights)
    similar = np.concatenate(
        [
            index.similarities(index.query([each.terms for each in sketches[start:end]]))
            for start, end in pairwise([*range(0, len(sketches), _AT_ONCE), len(sketches)])
        ]
    )
    duals, ridge = _ridge(similar, values - centre, weights)
    own = similar.copy()
    np.fill_diagonal(own, -1)
    near = _nearest(own, values)
    counts = np.array([sketch.counts for sketch in sketches], float)
    mean, scale = counts.mean(0), counts.std(0) + 1e-3
    count_weights, counted = _counted(_cosines((counts - mean) / scale), values - centre, weights)
    held_back = (centre + ridge + near + centre + counted) / 3
    return TextModels(index, values, duals, centre, mean, scale, count_weights), held_back


def _ridge(similar: Floats, values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The coefficients, and the values as expected without each text itself."""
    inverse = np.linalg.inv(similar + np.diag(RIDGE / weights))
    duals = inverse @ values
    return duals, values - duals / np.diag(inverse)[:, None]


def _nearest(similar: Floats, values: Floats) -> Floats:
    """The mean of the nearest texts, weighted by similarity."""
    count = min(NEIGHBOURS, similar.shape[1])
    nearest = _largest(similar, count)
    weight = np.maximum(np.take_along_axis(similar, nearest, 1), _WEIGHT_MIN)
    means: Floats = np.einsum("ij,ijk->ik", weight, values[nearest]) / weight.sum(1)[:, None]
    return means


def _largest(similar: Floats, count: int) -> Ints:
    """The places of the `count` largest of each row.

    The largest of each of four times as many groups of columns are a sample of distinct ones: what
    is below the `count`-th of that sample is not among the `count` largest. Few are left to sort.
    """
    groups = 4 * count
    rows, columns = similar.shape
    if columns < 2 * groups:
        return np.argpartition(-similar, count - 1, axis=1)[:, :count]
    whole = columns // groups * groups
    sample = similar[:, :whole].reshape(rows, -1, groups).max(axis=1)
    bound = np.partition(sample, groups - count, axis=1)[:, groups - count]
    # Where most are alike, most would be left.
    plain = bound <= _WEIGHT_MIN
    bound[plain] = np.inf
    row, column = np.divmod(np.flatnonzero(similar >= bound[:, None]), columns)
    order = np.lexsort((-similar[row, column], row))
    row, column = row[order], column[order]
    left = np.bincount(row, minlength=rows)
    kept = np.arange(len(row)) - np.repeat(np.cumsum(left) - left, left) < count
    found = np.empty((rows, count), np.int64)
    found[~plain] = column[kept].reshape(-1, count)
    found[plain] = np.argpartition(-similar[plain], count - 1, axis=1)[:, :count]
    return found


def _largest_of_one(similar: Floats, count: int) -> Ints:
    """The same places of one row: a sample would take longer than all of it."""
    bound = np.partition(similar, -count)[-count]
    if bound <= _WEIGHT_MIN:
        return np.argpartition(-similar, count - 1)[:count]
    left = np.flatnonzero(similar >= bound)
    return left[np.argsort(-similar[left], kind="stable")[:count]]


def _counted(features: Floats, values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    weighted = features * weights[:, None]
    inverse = np.linalg.inv(features.T @ weighted + COUNTS_RIDGE * np.eye(features.shape[1]))
    coefficients = inverse @ (weighted.T @ values)
    leverage = np.minimum(np.einsum("ij,jk,ik->i", features, inverse, weighted), 0.9)
    residuals = (values - features @ coefficients) / (1 - leverage)[:, None]
    return coefficients, values - residuals


def _random_directions(columns: int) -> tuple[Floats, Floats]:
    random = np.random.default_rng(SEED)
    return (
        random.normal(size=(columns, COSINES)) * np.sqrt(_WIDTH),
        random.uniform(0, 2 * np.pi, COSINES),
    )


def feature_count(counts: int) -> int:
    """How many features are made of so many counts."""
    return counts + COSINES


_DIRECTIONS: dict[int, tuple[Floats, Floats]] = {}


def _cosines(scaled: Floats) -> Floats:
    """Random cosines, whose ridge is a Gaussian kernel's, beside the counts themselves."""
    scaled = np.clip(scaled, -3, 3)
    columns = scaled.shape[-1]
    if columns not in _DIRECTIONS:
        _DIRECTIONS[columns] = _random_directions(columns)
    directions, shifts = _DIRECTIONS[columns]
    waves = np.sqrt(2 / COSINES) * np.cos(scaled @ directions + shifts)
    return np.concatenate([0.3 * scaled, waves], axis=-1)
