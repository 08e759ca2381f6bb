"""Charts: SVG that is well formed, with links and the table behind it."""

from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.bars import PLOT_PIXELS, Period, Series, bars
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
    assert drawn.axis == ("$100.00", "$75.00", "$50.00", "$25.00", "$0.00")


def test_a_column_leads_to_its_period_and_says_what_it_is():
    assert '<a href="/spend?from=2026-11-01" aria-label="1 Nov: $100.50"' in chart().svg


def test_a_period_that_is_not_over_is_hatched():
    assert chart().svg.count('fill="url(#spend-hatch)"') == 1


def test_the_table_behind_has_every_value_and_its_sums():
    table = chart().table
    assert table.rows[1]["s1"] == -3
    assert table.totals == {"s0": 150, "s1": Decimal("-2.5"), "total": Decimal("147.5")}


@pytest.mark.parametrize("periods", [[], PERIODS])
def test_a_chart_without_values_is_a_chart(periods):
    drawn = chart(periods=periods, series=[])
    ElementTree.fromstring(drawn.svg)  # noqa: S314  our own text


def test_a_chart_is_shown_with_title_legend_and_table():
    template = Template("{% load dashboard %}{% chart drawn %}")
    request = RequestFactory().get("/")
    html = template.render(Context({"drawn": chart(), "request": request}))
    assert 'id="spend-title">Spend: $147.50<' in html
    assert 'href="/spend?centre=research">research</a>' in html
    assert "&lt;other&gt;" in html
    assert "Show table" in html
