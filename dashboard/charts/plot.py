"""What charts over time share: periods as columns, lines of values, and the table behind."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from dashboard import figures
from dashboard.charts.chart import Number
from dashboard.charts.scale import STEPS, share
from dashboard.tables import Cell, Column, Kind, Table

PLOT_PIXELS = 200
_COLOURS = 8
_LABELS_MAX = 10
_PERCENT = Decimal("0.001")
_PIXEL = Decimal("0.1")


class Period(NamedTuple):
    """A column of a chart. `is_running`: not over yet, so it is drawn hatched.

    `note`: what people must know of it, which a mark above the column says and leads to.
    """

    label: str
    url: str = ""
    is_running: bool = False
    note: str = ""
    note_url: str = ""


class Part(NamedTuple):
    """A rectangle of a column, in pixels from the top."""

    colour: str
    y: Decimal
    height: Decimal


class PlotColumn(NamedTuple):
    """A period as drawn: its place in percent of the width, what it says, and its parts.

    `is_minor`: its label is left out where the chart is narrow.
    """

    period: Period
    text: str
    start: Decimal
    width: Decimal
    middle: Decimal
    has_label: bool
    is_minor: bool
    parts: Sequence[Part] = ()
    details: Sequence[str] = ()


class Named(Protocol):
    """Values over time with a name."""

    @property
    def name(self) -> str:
        """What the legend and the table call them."""

    @property
    def values(self) -> Sequence[Number | None]:
        """One for each period."""


def colour(slot: int | None) -> str:
    """The class of a colour, 0 to 7; None is the grey of all others."""
    return "series-other" if slot is None else f"series-{slot % _COLOURS}"


def plot_columns(periods: Sequence[Period], texts: Sequence[str]) -> list[PlotColumn]:
    """The columns of the periods, of one width; at most some ten of them are labelled."""
    step = Decimal(100) / max(len(periods), 1)
    labelled = -(-len(periods) // _LABELS_MAX)
    return [
        PlotColumn(
            period=period,
            text=f"{period.label}: {texts[index]}{' so far' if period.is_running else ''}",
            start=(step * index).quantize(_PERCENT),
            width=step.quantize(_PERCENT),
            middle=(step * index + step / 2).quantize(_PERCENT),
            has_label=index % labelled == 0,
            is_minor=index % (2 * labelled) != 0,
        )
        for index, period in enumerate(periods)
    ]


def height(value: Number, top: Number) -> Decimal:
    """How many pixels a value takes."""
    return (PLOT_PIXELS * share(value, top)).quantize(_PIXEL)


def plot_svg(name: str, columns: Sequence[PlotColumn], **more: Any) -> SafeString:
    """The SVG of a chart over time."""
    lines = [PLOT_PIXELS * step // STEPS for step in range(STEPS + 1)]
    shown = {"name": name, "columns": columns, "lines": lines, "height": PLOT_PIXELS, **more}
    return render_to_string("dashboard/charts/plot.svg", shown)


def axis(top: Decimal, kind: Kind) -> tuple[str, ...]:
    """The values at the lines of the axis, from the top."""
    texts = [text_of(top * (STEPS - step) / STEPS, kind) for step in range(STEPS + 1)]
    is_whole = all(text.endswith(".00") for text in texts)
    return tuple(text.removesuffix(".00") if is_whole else text for text in texts)


def text_of(number: Number | None, kind: Kind) -> str:
    """A value as the chart's table shows it."""
    return figures.figure(number, kind=kind, zone=ZoneInfo("UTC")).text


def table_behind(
    name: str,
    title: str,
    periods: Sequence[Period],
    series: Sequence[Named],
    kind: Kind,
    *,
    totals: Sequence[Number] | None = None,
) -> Table:
    """The values of a chart: a row for each period, a column for each series.

    `totals`: the sum of each period, where a sum means something; then each column has one too.
    """
    columns = [Column("period", "Period", sortable=False)]
    columns += [Column(f"s{i}", each.name, kind, sortable=False) for i, each in enumerate(series)]
    rows: list[dict[str, Any]] = [
        {"period": Cell(period.label, period.url)}
        | {f"s{i}": each.values[index] for i, each in enumerate(series)}
        for index, period in enumerate(periods)
    ]
    sums: Mapping[str, Number] = {}
    if totals is not None:
        columns.append(Column("total", "Total", kind, sortable=False))
        rows = [row | {"total": total} for row, total in zip(rows, totals, strict=True)]
        sums = {f"s{i}": sum(filter(None, each.values)) for i, each in enumerate(series)}
        sums = {**sums, "total": sum(totals)}
    return Table(name, title, columns, rows, totals=sums, count=len(rows))
