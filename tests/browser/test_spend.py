"""Any figure of the spend explorer leads in three clicks to charges that add up to it."""

import csv
import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.db.models import Sum

from keys import services as keys
from keys.models import Adjustment, Charge
from keys.supply.pricing import Rates
from tests.actors import GRACE
from tests.browser.walk import Watch, overflow, violations
from tests.keys.builders import add_key, adjust, allocate, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham")
# The clocks of St John's change on 8 March; days begin at :00, :15, :30 and :45 UTC.
FIRST = datetime(2026, 3, 7, 9, 50, tzinfo=UTC)
DAYS = "from=2026-03-07&to=2026-03-11"
ODD = Rates(input=Decimal("0.001234567"), output=Decimal("0.009876543"))


@pytest.fixture
def usage(people):
    """Calls of three agents at odd times of five days, at prices that need all nine places."""
    add_key("openai-1", per_day=None, rates=ODD, provider="openai")
    add_key("mistral-1", per_day=None, rates=ODD, provider="mistral")
    chance = random.Random(13)  # noqa: S311  the same figures in each run
    for agent in ("ada", "bob", "carol"):
        lent = allocate(agent, 500_000, now=FIRST, provider=chance.choice(["openai", "mistral"]))
        for _ in range(14):
            now = FIRST + timedelta(minutes=chance.randrange(5 * 24 * 60))
            charge = report(lent, chance.randrange(1, 9_999), output_tokens=7, now=now)
            if chance.random() < 0.2:
                adjust(charge, chance.randrange(1, 9_999), now=now + timedelta(hours=30))


def exact(locator):
    """The figure in a part of the page, with all its places."""
    return Decimal(locator.locator("data").first.get_attribute("value"))


def click(page, locator):
    locator.click()
    page.wait_for_load_state()


def tile(page):
    return page.locator("a.tile").first


def figures(page):
    """Ways to pick a figure of the page: each clicks towards charges, and returns the figure."""

    def headline():
        figure = exact(tile(page))
        click(page, tile(page))
        return figure

    def row(link="td a"):
        rows = page.locator("#spend-table tbody tr")
        picked = rows.nth(random.randrange(rows.count()))
        figure = exact(picked.locator("td").first)
        click(page, picked.locator(link).first)
        return figure

    def narrower():
        figure = row("th a")
        if "/spend" in page.url:
            assert headline() == figure
        return figure

    def column():
        columns = page.locator("#spend-chart a.column")
        index = random.randrange(columns.count())
        page.locator("#spend-chart summary").click()
        figure = exact(page.locator("#spend-chart-table tbody tr").nth(index).locator("td").last)
        click(page, columns.nth(index))
        assert headline() == figure
        return figure

    return (headline, row, narrower, column)


def sum_of_listed(page):
    """What the charges of the list count for, from the books: each with its adjustments."""
    numbers = [int(text) for text in page.locator("#charges-table tbody th").all_inner_texts()]
    assert "Next" not in page.locator("#charges-table").inner_text()
    assert len(numbers) == len(set(numbers))
    charges = Charge.objects.filter(pk__in=numbers).aggregate(cost=Sum("cost", default=0))
    more = Adjustment.objects.filter(charge__in=numbers).aggregate(cost=Sum("cost", default=0))
    return charges["cost"] + more["cost"]


def sum_of_file(page):
    """The sum of the cost column of the file that the page offers."""
    link = page.get_by_role("link", name="CSV").get_attribute("href")
    text = page.request.get(page.url.partition("?")[0] + link).text().lstrip("\ufeff")
    rows = list(csv.reader(StringIO(text.partition("\n\n")[0].partition("\r\n\r\n")[0])))
    [place] = [index for index, name in enumerate(rows[0]) if re.match(r"Cost\b(?! centre)", name)]
    return sum(Decimal(row[place]) for row in rows[1:])


def test_figures_in_five_zones_lead_to_charges_that_add_up_to_them(signed_in, usage):
    page = signed_in().new_page()
    random.seed(13)
    for zone in ZONES:
        keys.change_organisation(reporting_zone=zone, reason="test", actor=GRACE, now=NOON)
        for by, pick in zip(("cost_centre", "agent", "model", "provider"), range(4), strict=True):
            page.goto(f"/spend?{DAYS}&by={by}")
            figure = figures(page)[pick]()
            where = f"{zone}: {page.url}"
            if not figure:
                assert "No charge" in page.locator("#charges-table").inner_text(), where
                continue
            assert sum_of_listed(page) == figure, where
            assert sum_of_file(page) == figure, where
            assert exact(page.locator("#charges-table tfoot td.number").first) == figure, where


def test_the_page_of_a_charge_is_for_all_people_and_its_lines_add_up(signed_in, live_server, usage):
    charge = Adjustment.objects.last().charge
    for theme in ("light", "dark"):
        page = signed_in(theme).new_page()
        watch = Watch(page, live_server.url)
        page.goto(f"/charges/{charge.pk}")
        for width in (360, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert violations(page) + overflow(page) + watch.faults == []
        lines = page.locator("#price-lines tbody td:last-child").all_inner_texts()
        assert sum(Decimal(line) for line in lines) == charge.cost
        assert re.sub(r"[^\d.]", "", page.locator("#settled-cost").inner_text()) == str(charge.cost)
