"""Settled work as rows to learn from."""

from datetime import datetime
from typing import NamedTuple

import numpy as np

from prediction.learning.rows import Group, Rows
from prediction.learning.terms import Sketch
from prediction.learning.train import KNOWN_TEXTS_MAX
from prediction.models import SettledWork, StoredSketch
from prediction.sketches import unpack

ROWS_MAX = 1_000_000
_AT_ONCE = 2_000
_COLUMNS = (
    "tokens",
    "calls",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "rule_tokens",
    "censored",
    "model",
    "agent",
    "kind",
    "text_digest",
    "settled_at",
)


class TrainingRows(NamedTuple):
    """The rows, and when the first and the last of them were settled."""

    rows: Rows
    since: datetime | None
    until: datetime | None


def training_rows(*, until: datetime, most: int = ROWS_MAX) -> TrainingRows:
    """The newest work that was settled before `until`, in the order of settlement. Only the newest
    texts are known; older work counts for its groups."""
    newest = SettledWork.objects.filter(settled_at__lt=until, calls__gt=0)
    newest = newest.order_by("-settled_at", "-allocation_id")[:most]
    found = list(newest.values_list(*_COLUMNS).iterator(chunk_size=20_000))
    found.reverse()
    columns = list(zip(*found, strict=True)) or [()] * len(_COLUMNS)
    groups = [Group(*group) for group in zip(*columns[7:10], strict=True)]
    distinct = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    digests = [None if digest is None else bytes(digest) for digest in columns[10]]
    sketches = _sketches(digests)
    places = {sketch.digest: place for place, sketch in enumerate(sketches)}
    rule = [np.nan if value is None else value for value in columns[5]]
    rows = Rows(
        values=np.array(columns[:5], float).T.reshape(len(found), 5),
        groups=list(distinct),
        group=np.array([distinct[group] for group in groups], np.int64),
        sketches=sketches,
        text=np.array([places.get(digest or b"", -1) for digest in digests], np.int64),
        censored=np.array(columns[6], bool),
        rule=np.array(rule, float),
    )
    settled = columns[11]
    return TrainingRows(rows, settled[0] if found else None, settled[-1] if found else None)


def _sketches(digests: list[bytes | None]) -> list[Sketch]:
    """The sketches of the newest texts that can be read."""
    newest = list(dict.fromkeys(digest for digest in reversed(digests) if digest))
    wanted = newest[:KNOWN_TEXTS_MAX]
    found: list[Sketch] = []
    for start in range(0, len(wanted), _AT_ONCE):
        stored = StoredSketch.objects.filter(pk__in=wanted[start : start + _AT_ONCE])
        unpacked = (unpack(bytes(row.digest), bytes(row.data)) for row in stored)
        found.extend(sketch for sketch in unpacked if sketch is not None)
    return found
