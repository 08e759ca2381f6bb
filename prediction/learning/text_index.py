"""How similar a text is to those that were learned from: TF-IDF over buckets, cosine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prediction.learning.terms import BUCKETS, Terms

Floats = NDArray[np.float64]
# A bucket of one text only tells nothing of another text.
_DOCUMENTS_MIN = 2


@dataclass(frozen=True, slots=True)
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
        columns = np.flatnonzero(documents >= _DOCUMENTS_MIN).astype(np.int32)
        idf = np.log((1 + len(texts)) / (1 + documents[columns])) + 1
        position = np.searchsorted(columns, bucket)
        kept = documents[bucket] >= _DOCUMENTS_MIN
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

    def similarities(self, text: Terms) -> Floats:
        """The cosine of the text with each learned text, 0 to 1."""
        if not len(self.columns) or not len(text.buckets):
            return np.zeros(self.size)
        position = np.minimum(np.searchsorted(self.columns, text.buckets), len(self.columns) - 1)
        known = self.columns[position] == text.buckets
        position, count = position[known], text.counts[known]
        weight = (1 + np.log(count)) * self.idf[position]
        norm = float(np.sqrt(weight @ weight)) or 1.0
        starts, lengths = self.starts[position], np.diff(self.starts)[position]
        total = int(lengths.sum())
        first = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        postings = first + np.arange(total)
        products = self.weights[postings] * np.repeat(weight / norm, lengths)
        cosines: Floats = np.bincount(self.rows[postings], products, self.size).astype(float)
        return cosines


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
