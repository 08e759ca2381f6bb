"""Bars on an axis of time: one line for each name, with one bar or several."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

LINE_PIXELS = 28
_AXIS_PIXELS = 22
_TICKS_MAX = 6
# The rest of the width is for the sign behind the last bar.
_WIDTH = Decimal(96)
_PLACES = Decimal("0.01")
_SECONDS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800),
)


class Bar(NamedTuple):
    """A bar from `starts_at` to `ends_at`, None: until now. `state` is the class of its colour,
    `sign` stands behind it, and `words` says it all."""

    starts_at: datetime
    ends_at: datetime | None
    state: str
    sign: str
    words: str


class Line(NamedTuple):
    """A line of bars."""

    name: str
    url: str
    bars: Sequence[Bar]


class DrawnBar(NamedTuple):
    """A bar with its place: percents of the width, and pixels from the top."""

    bar: Bar
    start: Decimal
    width: Decimal
    end: Decimal
    y: int


class Tick(NamedTuple):
    """A line of the axis, in percent of the width."""

    place: Decimal
    label: str


def gantt_svg(name: str, lines: Sequence[Line], *, label: str, now: datetime) -> SafeString:
    """The bars of the lines from the first start to the last end; empty without bars."""
    bars = [bar for line in lines for bar in line.bars]
    if not bars:
        return SafeString("")
    starts_at = min(bar.starts_at for bar in bars)
    length = max(max(bar.ends_at or now for bar in bars) - starts_at, timedelta(seconds=1))
    drawn = [
        _drawn(bar, starts_at, length, y=LINE_PIXELS * number, now=now)
        for number, line in enumerate(lines)
        for bar in line.bars
    ]
    shown = {
        "name": name,
        "bars": drawn,
        "label": label,
        "ticks": ticks(length),
        "lines": [LINE_PIXELS * number for number in range(len(lines) + 1)],
        "height": LINE_PIXELS * len(lines) + _AXIS_PIXELS,
        "bottom": LINE_PIXELS * len(lines),
    }
    return render_to_string("dashboard/charts/gantt.svg", shown)


def ticks(length: timedelta) -> list[Tick]:
    """At most some six lines at round distances from the start."""
    seconds = max(Decimal(length / timedelta(seconds=1)), Decimal(1))
    step = next((each for each in _SECONDS if seconds / each <= _TICKS_MAX), None)
    # Longer than any: a round number of weeks.
    step = step or _SECONDS[-1] * -(-int(seconds) // (_SECONDS[-1] * _TICKS_MAX))
    return [
        Tick((_WIDTH * number * step / seconds).quantize(_PLACES), _distance(number * step))
        for number in range(int(seconds // step) + 1)
    ]


def _distance(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s" if seconds else "0"


def _drawn(bar: Bar, starts_at: datetime, length: timedelta, *, y: int, now: datetime) -> DrawnBar:
    start = _percent(bar.starts_at - starts_at, length)
    end = max(_percent((bar.ends_at or now) - starts_at, length), start)
    return DrawnBar(bar, start, end - start, end, y)


def _percent(part: timedelta, whole: timedelta) -> Decimal:
    share = min(max(Decimal(part / whole), Decimal(0)), Decimal(1))
    return (_WIDTH * share).quantize(_PLACES)
