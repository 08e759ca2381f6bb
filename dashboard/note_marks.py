"""Notes on dates as marks in charts over time."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from common import links
from dashboard.charts import Period
from reports.models import DateNote


def with_notes(
    periods: Sequence[Period], starts: Sequence[date], notes: Iterable[DateNote]
) -> list[Period]:
    """The periods of days or months, which begin on the dates `starts`, with the notes on them."""
    noted: dict[int, list[DateNote]] = defaultdict(list)
    for note in notes:
        noted[bisect_right(starts, note.noted_on) - 1].append(note)
    return [
        _marked(period, noted[index]) if index in noted else period
        for index, period in enumerate(periods)
    ]


def _marked(period: Period, notes: Sequence[DateNote]) -> Period:
    text = "\n".join(f"{note.noted_on.day} {note.noted_on:%b}: {note.text}" for note in notes)
    return period._replace(note=text, note_url=f"{links.url('reports')}#note-{notes[0].pk}")
