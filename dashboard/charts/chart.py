"""A chart as a value, which `{% chart c %}` renders."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.safestring import SafeString

from dashboard.tables import Table

Number = Decimal | int


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
