"""Stacked bars over time."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from dashboard.charts.chart import Chart, LegendEntry, Number
from dashboard.charts.plot import (
    PLOT_PIXELS,
    Part,
    Period,
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


class Series(NamedTuple):
    """A part of each column; `slot` is its colour, 0 to 7, and None the grey of all others.

    `is_expected`: it has not happened, so it is drawn lighter and no sum of the table includes it.
    """

    name: str
    values: Sequence[Number]
    slot: int | None = None
    url: str = ""
    is_expected: bool = False

    @property
    def colour(self) -> str:
        """The class of its colour."""
        return f"{colour(self.slot)} expected" if self.is_expected else colour(self.slot)


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
    spent = [each for each in series if not each.is_expected]
    totals, tall = _sums(spent, periods), _sums(series, periods)
    top = axis_top(max([*tall, line or 0], default=0))
    columns = [
        column._replace(parts=_parts(series, index, top), details=_details(series, index, kind))
        for index, column in enumerate(
            plot_columns(periods, [text_of(total, kind) for total in totals])
        )
    ]
    budget = None if line is None else PLOT_PIXELS - height(line, top)
    return Chart(
        name=name,
        title=title,
        svg=plot_svg(name, columns, budget=budget),
        table=table_behind(name, title, periods, series, kind, totals=totals),
        legend=tuple(LegendEntry(each.name, each.colour, each.url) for each in series),
        axis=axis(top, kind),
    )


def _sums(series: Sequence[Series], periods: Sequence[Period]) -> list[Number]:
    return [sum(each.values[index] for each in series) for index in range(len(periods))]


def _details(series: Sequence[Series], index: int, kind: Kind) -> list[str]:
    """What each part of a column is, the largest first; for those who point at it."""
    parts = sorted(series, key=lambda each: each.values[index], reverse=True)
    return [
        f"{each.name}: {text_of(each.values[index], kind)}" for each in parts if each.values[index]
    ]


def _parts(series: Sequence[Series], index: int, top: Decimal) -> list[Part]:
    parts, y = [], Decimal(PLOT_PIXELS)
    for each in series:
        if tall := height(each.values[index], top):
            y -= tall
            parts.append(Part(each.colour, y, tall))
    return parts
