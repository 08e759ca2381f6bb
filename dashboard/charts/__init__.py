"""Charts as SVG, made by the server: data in, geometry out.

Widths are percentages of the chart and heights are pixels, so a chart fills any width without
distortion. `{% chart c %}` renders one with its legend and the table behind it.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.safestring import SafeString

from dashboard.tables import Table


@dataclass(frozen=True)
class LegendEntry:
    """The name of a series, the class of its colour, and where it leads."""

    name: str
    colour: str
    url: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart with a title that says what it found, its legend and the table of its values."""

    name: str
    title: str
    svg: SafeString
    table: Table
    legend: tuple[LegendEntry, ...] = ()
    # The values at the lines of the vertical axis, from the top.
    axis: tuple[str, ...] = ()


Number = Decimal | int
