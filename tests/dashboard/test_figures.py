"""Figures of pages: short, with the exact value beside."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.test import RequestFactory

from dashboard import figures
from keys.models import Organisation


@pytest.mark.parametrize(
    ("amount", "text", "exact"),
    [
        ("0", "$0.00", "$0.000000000"),
        ("4812.3", "$4,812.30", "$4,812.300000000"),
        ("0.04213", "$0.0421", "$0.042130000"),
        ("0.000000001", "$0.000000001", "$0.000000001"),
        ("-12.5", "−$12.50", "−$12.500000000"),
    ],
)
def test_money_is_short_and_never_nothing_for_something(amount, text, exact):
    assert figures.money(Decimal(amount)) == (text, exact)


def test_tokens_are_short_and_exact_beside():
    assert figures.tokens(71_846) == ("71.8k", "71,846 tokens")


@pytest.mark.parametrize(
    ("number", "text"),
    [("0", "0.0%"), ("12.34", "12.3%"), ("0.01", "<0.1%"), ("-0.01", ">−0.1%"), ("-3", "−3.0%")],
)
def test_a_percentage_is_never_zero_for_something(number, text):
    assert figures.percent(Decimal(number)).text == text


def test_a_moment_is_shown_by_the_clocks_of_the_zone():
    at = datetime(2026, 11, 26, 23, 30, 5, tzinfo=UTC)
    shown = figures.moment(at, zone=ZoneInfo("Asia/Kathmandu"))
    assert shown == ("2026-11-27 05:15", "2026-11-27 05:15:05 Asia/Kathmandu")


@pytest.mark.django_db
def test_figures_in_templates_have_their_exact_value_for_hover_and_focus():
    template = Template(
        "{% load dashboard %}{% money a %} {% tokens n %} {% moment t %} {% money x %}"
    )
    shown = template.render(
        Context(
            {
                "a": Decimal("4812.3"),
                "n": 71_846,
                "t": datetime(2026, 11, 26, 23, 30, tzinfo=UTC),
                "x": None,
                "request": RequestFactory().get("/"),
            }
        )
    )
    assert 'data-exact="$4,812.300000000" tabindex="0">$4,812.30<' in shown
    assert 'value="71846"' in shown
    assert "2026-11-26 23:30" in shown
    assert shown.endswith("—")


def test_an_amount_is_said_in_the_currency_of_the_organisation_too():
    euros = Organisation(
        shown_currency="EUR", shown_rate=Decimal("0.92"), shown_rate_on=date(2026, 3, 9)
    )
    shown = figures.money(Decimal("-4812.3"), shown=euros)
    assert shown.text == "−$4,812.30"
    said = "−$4,812.300000000, about −4,427.32 EUR at the rate of 2026-03-09"
    assert shown.exact == said
    assert figures.money(1, shown=Organisation()).exact == "$1.000000000"
