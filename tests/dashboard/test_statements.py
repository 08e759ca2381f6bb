"""Charge-back statements: what a cost centre pays for a closed month, as page and file."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest

from reports.models import MonthClose
from reports.queries.statements import statement
from tests.dashboard.test_reports import signed_in
from tests.keys.builders import PAID, add_key, adjust, allocate, report
from tests.reports.closing import APRIL, IN_APRIL, IN_MAY, lock, sign, signers

pytestmark = pytest.mark.django_db
PAGE = "/reports/statements/2026-04/research"


def cost(tokens):
    return tokens * PAID.input / 1000


@pytest.fixture
def april(people):
    """March: 100 tokens of ada, later 90, and 7 of carol. April: 30 of ada; later 35."""
    signers()
    add_key("openai-1", rates=PAID, provider="openai")
    charge = report(allocate("ada", label="task:a"), 100)
    report(allocate("carol"), 7)
    lock()
    adjust(charge, 90, now=IN_APRIL)
    second = report(allocate("ada", now=IN_APRIL), 30, now=IN_APRIL)
    close = sign(lock(APRIL, now=IN_MAY), "vera", "paul", now=IN_MAY)
    adjust(second, 35, now=IN_MAY + timedelta(days=1))
    return close


def test_a_statement_has_usage_corrections_and_the_month_before(april):
    found = statement(april, "research")
    assert [(line.corrects, line.tokens, line.label) for line in found.lines] == [
        ("", 30, ""),
        ("2026-03", -10, "task:a"),
    ]
    assert (found.previous, found.usage, found.corrections) == (cost(100), cost(30), cost(-10))
    assert (found.total, found.later) == (cost(20), cost(5))
    assert found.lines[0].rate == PAID.input * 1000


def test_every_cent_of_a_closed_month_is_in_one_statement(april):
    for close in MonthClose.objects.all():
        centres = ("org", "research", "sales")
        assert sum(statement(close, centre).total for centre in centres) == close.cost


def test_the_page_and_its_file_have_the_same_lines(april):
    client = signed_in("fay")
    shown = client.get(PAGE).content.decode()
    assert "Changed since" in shown and "2026-03" in shown and "Signed by paul" in shown
    answer = client.get(PAGE, {"format": "csv"})
    text = b"".join(answer.streaming_content).decode()
    lines = list(csv.DictReader(io.StringIO(text.partition("\r\n\r\n")[0])))
    assert sum(Decimal(line["Cost (USD)"]) for line in lines) == cost(20)
    assert client.get(PAGE, {"format": "xlsx"}).status_code == 200


def test_bound_people_see_the_statements_of_their_cost_centres(april):
    tom = signed_in("tom", "finance", "research")
    assert tom.get(PAGE).status_code == 200
    other = "/reports/statements/2026-03/sales"
    assert tom.get(other).status_code == 404
    text = b"".join(tom.get(other, {"format": "csv"}).streaming_content).decode()
    assert "carol" not in text


@pytest.mark.parametrize("path", ["2026-05/research", "2026-13/research", "2026-04/nowhere"])
def test_what_is_not_closed_has_no_statement(april, path):
    assert signed_in("fay").get(f"/reports/statements/{path}").status_code == 404


def test_the_page_takes_few_queries(april, django_assert_max_num_queries):
    client = signed_in("fay")
    with django_assert_max_num_queries(20):
        client.get(PAGE)
