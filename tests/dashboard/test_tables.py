"""Tables: sorted, paged, summed and shown."""

from decimal import Decimal

import pytest
from django.template import Context, Template
from django.test import RequestFactory

from dashboard import tables
from dashboard.tables import Cell, Column, Table, paged

# The reporting zone is asked.
pytestmark = pytest.mark.django_db
COLUMNS = [
    Column("agent", "Agent"),
    Column("cost", "Cost", "money", unit="USD", total=True),
    Column("note", "Note", sortable=False),
]
ROWS = [
    {"agent": Cell("ada", "/agents/ada"), "cost": Decimal("0.000000001"), "note": "<b>"},
    {"agent": "Bob", "cost": Decimal("4812.3"), "note": ""},
    {"agent": "carol", "cost": None, "note": None},
]


def table(**changes):
    return Table(
        **{"name": "spend", "title": "Spend", "columns": COLUMNS, "rows": ROWS, "sort": "-cost"}
        | changes
    )


def agents(rows):
    return [tables.value(row, "agent") for row in rows]


def html(shown, path="/"):
    template = Template("{% load dashboard %}{% table shown %}")
    return template.render(Context({"shown": shown, "request": RequestFactory().get(path)}))


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("-cost", ["Bob", "ada", "carol"]),
        ("cost", ["ada", "Bob", "carol"]),
        ("agent", ["ada", "Bob", "carol"]),
        ("-agent", ["carol", "Bob", "ada"]),
        ("note", ["Bob", "ada", "carol"]),
        ("--cost", ["Bob", "ada", "carol"]),
        ("nonsense", ["Bob", "ada", "carol"]),
    ],
)
def test_rows_are_sorted_as_the_query_says(sort, order):
    assert agents(paged(table(), {"sort": sort}).rows) == order


def test_a_page_says_where_the_next_begins_and_files_have_every_row():
    first = paged(table(), {}, page_rows=2)
    assert (agents(first.rows), first.count, first.next_page) == (["Bob", "ada"], 3, "2")
    second = paged(table(), {"after": first.next_page}, page_rows=2)
    assert (agents(second.rows), second.next_page) == (["carol"], "")
    assert agents(second.all_rows()) == ["Bob", "ada", "carol"]


@pytest.mark.parametrize("after", ["", "-1", "x", "٣", "9" * 40, "3", "1.5"])
def test_a_page_that_is_none_is_the_first(after):
    assert agents(paged(table(), {"after": after}, page_rows=2).rows) == ["Bob", "ada"]


def test_a_table_shows_figures_units_sums_and_its_order():
    shown = html(paged(table(totals={"cost": Decimal("4812.300000001")}), {}))
    assert 'data-exact="$4,812.300000001"' in shown
    assert "$0.000000001" in shown
    assert "Cost <small>USD</small></a>" in shown
    assert shown.count("aria-sort") == 1
    assert "&lt;b&gt;" in shown
    assert "3 of 3" in shown
    assert "<tfoot>" in shown


def test_links_of_a_table_keep_the_filters_and_leave_the_page():
    shown = html(paged(table(), {}, page_rows=2), "/spend?agent=ada&after=40")
    assert 'href="?agent=ada&amp;sort=cost"' in shown
    assert 'href="?agent=ada&amp;after=2">Next' in shown
    assert 'href="?agent=ada">First' in shown


def test_two_tables_of_a_page_have_parameters_of_their_own():
    shown = html(paged(table(prefix="spend-"), {"spend-sort": "agent"}, page_rows=2))
    assert 'href="?spend-sort=-agent"' in shown
    assert 'href="?spend-after=2"' in shown


def test_a_count_that_was_capped_says_so():
    assert "3 of more than 10,000" in html(table(count=10_000, is_capped=True))


def test_an_empty_table_says_what_to_do():
    shown = html(table(rows=[], empty="No agent has spent anything yet."))
    assert "No agent has spent anything yet." in shown
    assert "<table" not in shown


def test_a_table_with_a_builder_can_be_exported(monkeypatch):
    monkeypatch.setattr(tables, "_registered", {})
    assert "format=csv" not in html(table())
    tables.register("spend", lambda *asked: table(), permission="keys.view_charge")
    assert "?agent=ada&amp;format=csv&amp;excel=1" in html(table(), "/?agent=ada")
    with pytest.raises(ValueError, match="registered already"):
        tables.register("spend", lambda *asked: table(), permission="keys.view_charge")


def test_figures_are_shown_in_full_when_the_query_asks():
    shown = html(paged(table(totals={"cost": Decimal("1.5")}), {}), "/?exact=1")
    assert ">$0.000000001</data>" in shown
    assert ">$1.500000000</data>" in shown
    assert 'href="?">Short figures' in shown
