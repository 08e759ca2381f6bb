"""Charts that fit into a cell: a meter and a line without axes."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from dashboard.charts.chart import Number
from dashboard.charts.scale import share

SPARK_PIXELS = 24
_PLACES = Decimal("0.01")


class MeterPart(NamedTuple):
    """A part of the whole: `used`, `committed`, `warm` or `hot`."""

    value: Number
    colour: str = "used"


def meter(
    parts: Sequence[MeterPart], *, whole: Number, label: str, mark: Number | None = None
) -> SafeString:
    """Parts of a whole as a bar; `mark` is where it will end. `label` says it all in words."""
    segments, start = [], Decimal(0)
    for part in parts:
        width = min(_percent(part.value, whole), 100 - start)
        segments.append({"colour": part.colour, "start": start, "width": width})
        start += width
    marked = None if mark is None else _percent(mark, whole)
    return render_to_string(
        "dashboard/charts/meter.svg", {"segments": segments, "label": label, "mark": marked}
    )


def spark(values: Sequence[Number], *, label: str) -> SafeString:
    """Values over time as a small line; `label` says in words what it shows."""
    top, step = max([*values, 1]), Decimal(100) / max(len(values) - 1, 1)
    points = [
        f"{(step * index).quantize(_PLACES)},{_down(value, top)}"
        for index, value in enumerate(values)
    ]
    shown = {"points": " ".join(points), "label": label, "height": SPARK_PIXELS}
    return render_to_string("dashboard/charts/spark.svg", shown)


def _down(value: Number, top: Number) -> Decimal:
    """Pixels from the top; the stroke stays inside."""
    return (1 + (SPARK_PIXELS - 2) * (1 - share(value, top))).quantize(_PLACES)


def _percent(value: Number, whole: Number) -> Decimal:
    if whole <= 0:
        return Decimal(100 if value > 0 else 0)
    return (100 * share(value, whole)).quantize(_PLACES)
