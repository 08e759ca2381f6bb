"""How similar a text is to those that were learned from: TF-IDF over buckets, cosine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prediction.learning.terms import BUCKETS, Terms

Floats = NDArray[np.float64]
# A bucket of one text only tells nothing of another text.
_DOCUMENTS_MIN = 2
# Nor does one of nearly all texts, and its postings are the longest: left out among many texts.
_SHARE_MAX, _SHARE_TEXTS = 0.3, 200
_COMMON_SHARE = 1 / 10


@dataclass(frozen=True)
class TextIndex:
    """The learned texts by bucket.

    `columns`: the buckets that count, rising; `idf` of each; `starts`: where the postings of each
    begin; `rows` and `weights`: the texts that have it, and how much. `size`: the number of texts.
    """

    columns: NDArray[np.int32]
    idf: NDArray[np.float32]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    size: int

    @classmethod
    def of(cls, texts: Sequence[Terms]) -> "TextIndex":
        """Index the texts."""
        row, bucket, count = _flat(texts)
        documents = np.bincount(bucket, minlength=BUCKETS)
        most = _SHARE_MAX * len(texts) if len(texts) >= _SHARE_TEXTS else len(texts)
        telling = (documents >= _DOCUMENTS_MIN) & (documents <= most)
        columns = np.flatnonzero(telling).astype(np.int32)
        idf = np.log((1 + len(texts)) / (1 + documents[columns])) + 1
        position = np.searchsorted(columns, bucket)
        kept = telling[bucket]
        row, position, count = row[kept], position[kept], count[kept]
        weights = _unit(row, (1 + np.log(count)) * idf[position], len(texts))
        order = np.argsort(position, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(position, minlength=len(columns)))])
        return cls(
            columns=columns,
            idf=idf.astype(np.float32),
            starts=starts.astype(np.int64),
            rows=row[order].astype(np.int32),
            weights=weights[order].astype(np.float32),
            size=len(texts),
        )

    def query(self, texts: Sequence[Terms]) -> "Query":
        """The texts as rows of this index."""
        if len(texts) == 1:
            return self._query_of_one(texts[0])
        row, bucket, count = _flat(texts)
        position = self._position[bucket]
        known = position >= 0
        row, position, count = row[known], position[known], count[known]
        weight = _unit(row, (1 + np.log(count)) * self.idf[position], len(texts))
        return Query(row, position, weight, len(texts))

    def _query_of_one(self, text: Terms) -> "Query":
        """The same with fewer steps, of which each takes longer than what is computed."""
        position = self._position[text.buckets]
        known = position >= 0
        position = position[known]
        weight = (1 + np.log(text.counts[known].astype(float))) * self.idf[position]
        weight /= max(float(weight @ weight) ** 0.5, 1e-9)
        return Query(np.zeros(len(position), np.int64), position, weight, 1)

    def similarities(self, asked: "Query") -> Floats:
        """The cosine of each text with each learned text, 0 to 1: texts × learned texts."""
        place = self._common.place[asked.position]
        rare = place < 0
        position, weight = asked.position[rare], asked.weight[rare]
        lengths = self._lengths[position]
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        # In place: these arrays are of all postings, and copies of them are most of the time.
        postings = np.repeat(self.starts[position] - (ends - lengths), lengths)
        postings += np.arange(total)
        rows, weights = self._wide
        cells = rows.take(postings)
        cells += np.repeat(asked.row[rare] * self.size, lengths)
        products = weights.take(postings)
        products *= np.repeat(weight, lengths)
        flat = np.bincount(cells, products, asked.size * self.size).astype(float, copy=False)
        cosines: Floats = flat.reshape(asked.size, self.size)
        common = ~rare
        weight = asked.weight[common].astype(np.float32)
        if asked.size == 1:
            # The buckets of one text are few: the others need not be read.
            cosines += weight @ self._common.weights[place[common]]
        elif len(weight):
            given = np.zeros((asked.size, len(self._common.weights)), np.float32)
            given[asked.row[common], place[common]] = weight
            cosines += given @ self._common.weights
        return cosines

    def sums(self, values: Floats) -> Floats:
        """For each bucket, the weighted sum of the values of the texts that have it (buckets ×
        targets): the values that `Query.sums` wants."""
        column = np.repeat(np.arange(len(self.columns)), self._lengths)
        sums = [
            np.bincount(column, self.weights * each[self.rows], len(self.columns))
            for each in values.T
        ]
        return np.stack(sums, axis=1)

    @cached_property
    def _position(self) -> NDArray[np.int64]:
        """The place of each bucket in `columns`, -1 for the others."""
        position = np.full(BUCKETS, -1)
        position[self.columns] = np.arange(len(self.columns))
        return position

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        return np.diff(self.starts)

    @cached_property
    def _wide(self) -> tuple[NDArray[np.int64], Floats]:
        """`rows` and `weights` as they are computed with."""
        return self.rows.astype(np.int64), self.weights.astype(float)

    @cached_property
    def _common(self) -> "_Common":
        common = np.flatnonzero(self._lengths > _COMMON_SHARE * self.size)
        place = np.full(len(self.columns), -1)
        place[common] = np.arange(len(common))
        weights = np.zeros((len(common), self.size), np.float32)
        for number, column in enumerate(common):
            postings = slice(self.starts[column], self.starts[column + 1])
            weights[number, self.rows[postings]] = self.weights[postings]
        return _Common(place, weights)


class Query(NamedTuple):
    """Texts, as many as `size`: the row, the position in the index and the weight of each bucket
    that the index knows; the squares of the weights of a text are 1 in all."""

    row: NDArray[np.int64]
    position: NDArray[np.int64]
    weight: Floats
    size: int

    def parts(self, size: int) -> Iterator["Query"]:
        """The same in parts of so many texts."""
        starts = range(0, self.size, size)
        ends = np.searchsorted(self.row, [*starts, self.size]).tolist()
        for start, (begin, end) in zip(starts, pairwise(ends), strict=True):
            row = self.row[begin:end] - start
            count = min(size, self.size - start)
            yield Query(row, self.position[begin:end], self.weight[begin:end], count)

    def sums(self, values: Floats) -> Floats:
        """The weighted sum of the values of the buckets of each text: texts × targets."""
        found = values[self.position] * self.weight[:, None]
        sums = [np.bincount(self.row, column, self.size) for column in found.T]
        return np.stack(sums, axis=1)


class _Common(NamedTuple):
    """Buckets that many texts have, as a matrix, which multiplies more quickly than postings do:
    the place of each bucket in it, -1 for the others, and its weights (buckets × texts)."""

    place: NDArray[np.int64]
    weights: NDArray[np.float32]


def _flat(texts: Sequence[Terms]) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats]:
    """Rows, buckets and counts of all texts, one after the other."""
    lengths = [len(text.buckets) for text in texts]
    row = np.repeat(np.arange(len(texts)), lengths)
    bucket = np.concatenate([text.buckets for text in texts] or [np.zeros(0, np.int32)])
    count = np.concatenate([text.counts for text in texts] or [np.zeros(0, np.int32)])
    return row, bucket, count.astype(float)


def _unit(row: NDArray[np.int64], weights: Floats, size: int) -> Floats:
    norms = np.sqrt(np.bincount(row, weights * weights, minlength=size))
    return weights / np.maximum(norms[row], 1e-9)
