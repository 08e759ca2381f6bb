"""Charts: SVG that is well formed, with links and the table behind it."""

from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts import Line, MeterPart, Period, Series, bars, line, meter, spark
from dashboard.charts.plot import PLOT_PIXELS
from dashboard.charts.scale import axis_top

PERIODS = [Period("1 Nov", "/spend?from=2026-11-01"), Period("2 Nov", is_running=True)]
SERIES = [
    Series("research", [Decimal(100), Decimal(50)], slot=0, url="/spend?centre=research"),
    Series("<other>", [Decimal("0.5"), Decimal(-3)]),
]


def chart(**changes):
    return bars(
        **{"name": "spend", "title": "Spend: $147.50", "periods": PERIODS, "series": SERIES}
        | changes
    )


def rectangles(drawn, colour):
    found = ElementTree.fromstring(drawn.svg).iter("rect")  # noqa: S314  our own text
    return [each for each in found if each.get("class") == colour]


@given(st.decimals("0.000000001", 10**12, allow_nan=False, places=9))
def test_the_top_of_an_axis_is_close_above_the_largest_value(largest):
    top = axis_top(largest)
    assert largest <= top <= largest * Decimal("2.51")


@pytest.mark.parametrize("largest", [0, -5])
def test_an_axis_of_nothing_still_has_steps(largest):
    assert axis_top(largest) > 0


def test_bars_are_stacked_to_scale():
    drawn = chart(series=[Series("a", [75, 0], slot=0), Series("b", [25, 0], slot=1)])
    below, above = (float(rectangles(drawn, f"series-{n}")[0].get("y")) for n in (0, 1))
    assert (below, above) == (PLOT_PIXELS * 0.25, 0)
    assert drawn.axis == ("$100", "$75", "$50", "$25", "$0")


def test_a_column_leads_to_its_period_and_says_what_it_is():
    words = "1 Nov: $100.50\nresearch: $100.00\n&lt;other&gt;: $0.50"
    assert f'<a href="/spend?from=2026-11-01" aria-label="{words}"' in chart().svg
    assert f"<title>{words}</title>" in chart().svg


def test_a_period_that_is_not_over_is_hatched():
    assert chart().svg.count('fill="url(#spend-hatch)"') == 1
    assert "2 Nov: $47.00 so far" in chart().svg


def test_a_note_is_a_mark_of_its_own_above_its_column():
    note = {"note": "1 Nov: <Prices> rose", "note_url": "/reports#note-7"}
    marked = chart(periods=[PERIODS[0]._replace(**note), PERIODS[1]])
    links = [each for each in ElementTree.fromstring(marked.svg) if each.tag == "a"]  # noqa: S314
    assert [each.get("class") for each in links] == ["column", "note-mark"]
    assert links[1].get("href") == "/reports#note-7"
    assert links[1].get("aria-label") == "Note: 1 Nov: <Prices> rose"
    assert links[1].find("title").text == "1 Nov: <Prices> rose"
    assert "note-mark" not in chart().svg


def test_the_table_behind_has_every_value_and_its_sums():
    table = chart().table
    assert table.rows[1]["s1"] == -3
    assert table.totals == {"s0": 150, "s1": Decimal("-2.5"), "total": Decimal("147.5")}


@pytest.mark.parametrize("periods", [[], PERIODS])
def test_a_chart_without_values_is_a_chart(periods):
    drawn = chart(periods=periods, series=[])
    assert ElementTree.fromstring(drawn.svg).tag.endswith("svg")  # noqa: S314  our own text


@pytest.mark.django_db
def test_a_chart_is_shown_with_title_legend_and_table():
    template = Template("{% load dashboard %}{% chart drawn %}")
    request = RequestFactory().get("/")
    html = template.render(Context({"drawn": chart(), "request": request}))
    assert 'id="spend-title">Spend: $147.50<' in html
    assert 'href="/spend?centre=research">research</a>' in html
    assert "&lt;other&gt;" in html
    assert "Show table" in html


def lines(**changes):
    values = [Line("Spent", [Decimal(10), Decimal(20), None], slot=0)]
    values.append(Line("Forecast", [None, Decimal(20), Decimal(40)], is_forecast=True))
    periods = [Period(f"{day} Nov") for day in (1, 2, 3)]
    return line(**{"name": "month", "title": "$20", "periods": periods, "lines": values} | changes)


def points(drawn, shape):
    found = ElementTree.fromstring(drawn.svg).iter(shape)  # noqa: S314  our own text
    return [each.get("points").split() for each in found]


def test_a_line_has_gaps_where_it_has_no_value():
    spent, forecast = points(lines(), "polyline")
    assert [len(spent), len(forecast)] == [2, 2]
    assert forecast[-1] == "83.333,0.0"
    assert lines().svg.count("forecast") == 1


def test_a_line_of_one_point_is_a_dot():
    alone = Line("Spent", [None, Decimal(1), None])
    (dot,) = points(lines(lines=[alone]), "polyline")
    assert dot[0] == dot[1]


def test_a_band_goes_there_and_back():
    drawn = lines(band=[None, (Decimal(20), Decimal(20)), (Decimal(30), Decimal(50))])
    assert len(points(drawn, "polygon")[0]) == 4


def test_a_budget_is_a_level():
    assert 'class="budget" x2="100%" y1="100.0"' in lines(budget=20).svg


def test_values_of_a_line_are_not_summed():
    assert lines().table.totals == {}
    assert [column.label for column in lines().table.columns] == ["Period", "Spent", "Forecast"]


@pytest.mark.parametrize(
    ("parts", "whole", "widths"),
    [
        ([50, 25], 100, ["50.00", "25.00"]),
        ([150, 25], 100, ["100.00", "0.00"]),
        ([0, 0], 0, ["0", "0"]),
        ([1, 0], 0, ["100", "0"]),
    ],
)
def test_the_parts_of_a_meter_never_leave_it(parts, whole, widths):
    drawn = meter([MeterPart(each) for each in parts], whole=whole, label="<1", mark=whole)
    found = list(ElementTree.fromstring(drawn).iter("rect"))[1:]  # noqa: S314  our own text
    assert [Decimal(each.get("width")) for each in found] == [Decimal(each) for each in widths]


@pytest.mark.parametrize("values", [[], [0], [0, 0], [1, 5, Decimal("2.5")]])
def test_a_spark_stays_in_its_cell(values):
    drawn = spark(values, label="Spend of 28 days")
    (line,) = ElementTree.fromstring(drawn).iter("polyline")  # noqa: S314  our own text
    downs = [float(point.split(",")[1]) for point in line.get("points").split()]
    assert all(1 <= down <= 23 for down in downs)
