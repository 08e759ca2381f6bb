"""Stacked bars over time."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string

from dashboard import figures
from dashboard.charts import Chart, LegendEntry, Number
from dashboard.charts.scale import STEPS, axis_top, share
from dashboard.tables import Cell, Column, Kind, Table

PLOT_PIXELS = 200
_COLOURS = 8
_LABELS_MAX = 10
_PERCENT = Decimal("0.001")
_PIXEL = Decimal("0.1")


class Period(NamedTuple):
    """A column of the chart. `is_running`: not over yet, so it is drawn hatched."""

    label: str
    url: str = ""
    is_running: bool = False


class Series(NamedTuple):
    """A part of each column; `slot` is its colour, and None the grey of all others."""

    name: str
    values: Sequence[Number]
    slot: int | None = None
    url: str = ""

    @property
    def colour(self) -> str:
        """The class of its colour."""
        return "series-other" if self.slot is None else f"series-{self.slot % _COLOURS}"


class Part(NamedTuple):
    """A rectangle of a column, in pixels from the top."""

    colour: str
    y: Decimal
    height: Decimal


class Bar(NamedTuple):
    """A column: its place in percent of the width, what it says, and its parts."""

    period: Period
    text: str
    start: Decimal
    width: Decimal
    middle: Decimal
    parts: Sequence[Part]
    has_label: bool


def bars(
    *,
    name: str,
    title: str,
    periods: Sequence[Period],
    series: Sequence[Series],
    kind: Kind = "money",
    line: Number | None = None,
) -> Chart:
    """Columns of stacked series, the first at the bottom; `line` is a budget for each column.

    What is below zero is not drawn; the table shows it.
    """
    totals = _totals(periods, series)
    top = axis_top(max([*totals, line or 0], default=0))
    shown = {
        "name": name,
        "bars": _bars(periods, series, totals, top=top, kind=kind),
        "lines": [PLOT_PIXELS * step // STEPS for step in range(STEPS + 1)],
        "height": PLOT_PIXELS,
        "line": None if line is None else (PLOT_PIXELS * (1 - share(line, top))).quantize(_PIXEL),
    }
    return Chart(
        name=name,
        title=title,
        svg=render_to_string("dashboard/charts/bars.svg", shown),
        table=_table(name, title, periods, series, totals, kind=kind),
        legend=tuple(LegendEntry(each.name, each.colour, each.url) for each in series),
        axis=tuple(_text(top * (STEPS - step) / STEPS, kind) for step in range(STEPS + 1)),
    )


def _totals(periods: Sequence[Period], series: Sequence[Series]) -> list[Number]:
    return [sum(each.values[index] for each in series) for index in range(len(periods))]


def _bars(
    periods: Sequence[Period],
    series: Sequence[Series],
    totals: Sequence[Number],
    *,
    top: Decimal,
    kind: Kind,
) -> list[Bar]:
    step = Decimal(100) / max(len(periods), 1)
    labelled = -(-len(periods) // _LABELS_MAX)
    return [
        Bar(
            period=period,
            text=f"{period.label}: {_text(totals[index], kind)}",
            start=(step * index).quantize(_PERCENT),
            width=step.quantize(_PERCENT),
            middle=(step * index + step / 2).quantize(_PERCENT),
            parts=_parts(series, index, top),
            has_label=index % labelled == 0,
        )
        for index, period in enumerate(periods)
    ]


def _parts(series: Sequence[Series], index: int, top: Decimal) -> list[Part]:
    parts, y = [], Decimal(PLOT_PIXELS)
    for each in series:
        height = (PLOT_PIXELS * share(each.values[index], top)).quantize(_PIXEL)
        if height:
            y -= height
            parts.append(Part(each.colour, y, height))
    return parts


def _table(
    name: str,
    title: str,
    periods: Sequence[Period],
    series: Sequence[Series],
    totals: Sequence[Number],
    *,
    kind: Kind,
) -> Table:
    """The values of the chart: a row for each period, a column for each series."""
    columns = [Column("period", "Period", sortable=False)]
    columns += [Column(f"s{i}", each.name, kind, sortable=False) for i, each in enumerate(series)]
    columns.append(Column("total", "Total", kind, sortable=False))
    rows = [
        {"period": Cell(period.label, period.url), "total": totals[index]}
        | {f"s{i}": each.values[index] for i, each in enumerate(series)}
        for index, period in enumerate(periods)
    ]
    sums = {f"s{i}": sum(each.values) for i, each in enumerate(series)} | {"total": sum(totals)}
    return Table(name, title, columns, rows, totals=sums, count=len(rows))


def _text(number: Number, kind: Kind) -> str:
    return figures.figure(number, kind=kind, zone=ZoneInfo("UTC")).text
