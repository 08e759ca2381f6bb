"""Lines over time: a sum that grows, a forecast, and the band that it lies in."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from dashboard.charts.chart import Chart, LegendEntry, Number
from dashboard.charts.plot import (
    PLOT_PIXELS,
    Period,
    PlotColumn,
    axis,
    colour,
    height,
    plot_columns,
    plot_svg,
    table_behind,
    text_of,
)
from dashboard.charts.scale import axis_top
from dashboard.tables import Kind


class Line(NamedTuple):
    """Values over time, None where there is none; `is_forecast` draws them dashed."""

    name: str
    values: Sequence[Number | None]
    slot: int | None = None
    is_forecast: bool = False
    url: str = ""


class Stroke(NamedTuple):
    """A line without gaps: its class, and its points in percent of the width and pixels."""

    colour: str
    points: str
    is_forecast: bool


def line(
    *,
    name: str,
    title: str,
    periods: Sequence[Period],
    lines: Sequence[Line],
    kind: Kind = "money",
    budget: Number | None = None,
    band: Sequence[tuple[Number, Number] | None] = (),
) -> Chart:
    """Lines over time; `budget` is a level to stay below, `band` low and high of each period."""
    values = [value for each in lines for value in each.values if value is not None]
    top = axis_top(max([*values, *(pair[1] for pair in band if pair), budget or 0], default=0))
    texts = [
        ", ".join(text_of(each.values[index], kind) for each in lines)
        for index in range(len(periods))
    ]
    columns = plot_columns(periods, texts)
    return Chart(
        name=name,
        title=title,
        svg=plot_svg(
            name,
            columns,
            strokes=[stroke for each in lines for stroke in _strokes(each, columns, top)],
            band=_band(band, columns, top),
            budget=None if budget is None else PLOT_PIXELS - height(budget, top),
        ),
        table=table_behind(name, title, periods, lines, kind),
        legend=tuple(_legend_entry(each) for each in lines),
        axis=axis(top, kind),
    )


def _legend_entry(each: Line) -> LegendEntry:
    dashed = " forecast" if each.is_forecast else ""
    return LegendEntry(each.name, colour(each.slot) + dashed, each.url)


def _strokes(each: Line, columns: Sequence[PlotColumn], top: Decimal) -> list[Stroke]:
    """The pieces of a line between its gaps; a piece of one point is a dot."""
    pairs = zip(columns, each.values, strict=True)
    pieces = (
        [_point(column, value, top) for column, value in piece if value is not None]
        for is_drawn, piece in groupby(pairs, key=lambda pair: pair[1] is not None)
        if is_drawn
    )
    return [
        Stroke(colour(each.slot), " ".join(points if points[1:] else points * 2), each.is_forecast)
        for points in pieces
    ]


def _band(
    band: Sequence[tuple[Number, Number] | None], columns: Sequence[PlotColumn], top: Decimal
) -> str:
    """The points around the band."""
    known = [(column, pair) for column, pair in zip(columns, band, strict=False) if pair]
    lows = [_point(column, pair[0], top) for column, pair in known]
    highs = [_point(column, pair[1], top) for column, pair in known]
    return " ".join([*lows, *reversed(highs)])


def _point(column: PlotColumn, value: Number, top: Decimal) -> str:
    return f"{column.middle},{PLOT_PIXELS - height(value, top)}"
