"""Charts as SVG, made by the server: data in, geometry out.

    from dashboard import charts
    charts.bars(name="spend", title="Spend: $4,812", periods=[…], series=[…])

Widths are percentages of the chart and heights are pixels, so a chart fills any width without
distortion. `{% chart c %}` renders one with its legend and the table behind it; `meter` and `spark`
fit into a cell and are SVG already.
"""

from dashboard.charts.bar_chart import Series, bars
from dashboard.charts.chart import Chart, LegendEntry
from dashboard.charts.line_chart import Line, line
from dashboard.charts.plot import Period
from dashboard.charts.small import MeterPart, meter, spark

__all__ = [
    "Chart",
    "LegendEntry",
    "Line",
    "MeterPart",
    "Period",
    "Series",
    "bars",
    "line",
    "meter",
    "spark",
]
