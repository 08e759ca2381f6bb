"""How similar a text is to those that were learned from: TF-IDF over buckets, cosine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prediction.learning.terms import BUCKETS, Terms

Floats = NDArray[np.float64]
# A bucket of one text only tells nothing of another text.
_DOCUMENTS_MIN = 2
# Nor does one of nearly all texts, and its postings are the longest: left out among many texts.
_SHARE_MAX, _SHARE_TEXTS = 0.3, 200


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

    def similarities(self, texts: Sequence[Terms]) -> Floats:
        """The cosine of each text with each learned text, 0 to 1: texts × learned texts."""
        row, bucket, count = _flat(texts)
        if not len(self.columns) or not len(bucket):
            return np.zeros((len(texts), self.size))
        position = np.minimum(np.searchsorted(self.columns, bucket), len(self.columns) - 1)
        known = self.columns[position] == bucket
        row, position, count = row[known], position[known], count[known]
        weight = _unit(row, (1 + np.log(count)) * self.idf[position], len(texts))
        lengths = np.diff(self.starts)[position]
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        first = np.repeat(self.starts[position] - (ends - lengths), lengths)
        postings = first + np.arange(total)
        products = self.weights[postings] * np.repeat(weight, lengths)
        cells = self.rows[postings] + np.repeat(row * self.size, lengths)
        cosines: Floats = np.bincount(cells, products, len(texts) * self.size).astype(float)
        return cosines.reshape(len(texts), self.size)


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
