"""The spend explorer and the charges that its figures are the sums of."""

import csv
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from dashboard import tables
from dashboard.live.audience import audience_of
from dashboard.live.pages import find
from dashboard.spend import spend_table
from dashboard.tables import Cell
from gate.models import CentreBinding
from keys import services as keys
from keys.books.queries.spend import SpendFilter, spend_by, spend_total
from keys.models import Charge
from reports import services as reports
from tests.actors import ACTOR
from tests.keys.builders import PAID, add_key, adjust, allocate, hold, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
QUERIES_MAX = 20
NONSENSE = (
    "range=x",
    "from=2026-02-30",
    "by=x&metric=x&compare=x&add=x&value=x",
    "subgroup=x",
    "subgroup=x&by=x&after=7",
    "by=cost_centre&subgroup=agent&cost_centre=x&directly=x&key=x&provider=x&model=x&agent=x&label=x",
    "agent=%ff&cost_centre=%ff&agent=" + "9" * 2000,
    "sort=x&after=x",
    "after=-1",
)
NONSENSE_OF_CHARGES = (
    "since=x",
    "since=2026-03-01T00:00:07Z",
    "since=2026-03-01T00:00:00",
    "since=0001-01-01T00:00:00%2B14:00",
    "until=2026-03-01T00:00:00Z",
    "since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z",
    "allocation=x",
    "allocation=-1",
    "allocation=" + "9" * 30,
    "allocation=٣",
    "after=_",
    "after=2026-03-01T00:00:00_1",
    "after=2026-03-01T00:00:00%2B00:00_x",
    "after=2026-03-01T00:00:00%2B00:00_" + "9" * 30,
    "sort=-cost&after=NaN_1",
    "sort=cost&after=1e999999_1",
    "sort=cost&after=Infinity_1",
)


@pytest.fixture
def usage(people):
    """ada, bob and carol spend on two days of a month."""
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    ada, carol = allocate("ada", 10_000), allocate("carol", 10_000)
    report(ada, 1000, now=NOON - DAY)
    adjust(report(ada, 500, now=NOON), 400, now=NOON)
    report(carol, 70, now=NOON)
    report(allocate("bob", 10_000), 9, now=NOON)


@pytest.fixture
def staff(client):
    """A client signed in as grace, who may see everything, at a fixed noon."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    with travel(NOON, tick=False):
        yield client


@pytest.fixture
def lead(client):
    """A client signed in as lena, who sees the spend of sales only."""
    lena = get_user_model().objects.create_user("lena", is_staff=True)
    lena.user_permissions.set(Permission.objects.filter(codename__in=["view_charge"]))
    CentreBinding.objects.create(person=lena, cost_centre_id="sales")
    client.force_login(lena)
    with travel(NOON, tick=False):
        yield client


def page(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer


def groups(client, query=""):
    """Each group of the table and its exact cost."""
    table = page(client, f"/spend?{query}").context["table"]
    return {row["group"].value: row["cost"].value for row in table.rows}


def file_of(client, address):
    """The rows of a CSV, without what it says about itself."""
    text = b"".join(client.get(f"{address}&format=csv").streaming_content).decode()
    return list(csv.reader(StringIO(re.split(r"\r?\n\r?\n", text)[0])))


def cost(tokens):
    return tokens * PAID.input / 1000


def test_cost_centres_are_those_of_one_level_and_count_nothing_twice(staff, usage):
    assert groups(staff) == {"research": cost(1409), "sales": cost(70)}
    keys.create_cost_centre("lab", parent="research", actor=ACTOR, now=NOON)
    keys.create_agent_without_limits("dave", cost_centre="lab", actor=ACTOR, now=NOON)
    report(allocate("dave", 1000), 30, now=NOON)
    assert groups(staff) == {"research": cost(1439), "sales": cost(70)}
    parts = {"research directly": cost(1409), "lab": cost(30)}
    assert groups(staff, "cost_centre=research") == parts
    assert groups(staff, "by=agent&directly=research") == {"ada": cost(1400), "bob": cost(9)}


@pytest.mark.parametrize("by", ["cost_centre", "agent", "label", "model", "key", "provider"])
def test_each_figure_leads_to_charges_that_add_up_to_it(staff, usage, by):
    context = page(staff, f"/spend?by={by}&range=7d").context
    cells = [
        cell
        for row in (*context["table"].rows, context["table"].totals)
        for cell in (row["cost"], row["previous"])
    ]
    for cell in cells:
        listed = page(staff, cell.url).context["table"]
        assert sum(row["cost"].value for row in listed.rows) == cell.value
        assert listed.totals["cost"] == cell.value
    assert sum(row["cost"].value for row in context["table"].rows) == cost(1479)


@pytest.mark.parametrize("by", ["cost_centre", "agent", "label", "key"])
@pytest.mark.parametrize("subgroup", ["cost_centre", "agent", "model", "provider"])
def test_subgroups_add_up_to_their_group_and_lead_to_their_charges(staff, usage, by, subgroup):
    if by == subgroup:
        return
    table = page(staff, f"/spend?by={by}&subgroup={subgroup}&range=7d").context["table"]
    totals, sums = {"cost": 0, "calls": 0}, {"cost": 0, "calls": 0}
    parts = [row for row in table.rows if row["group"].is_part]
    for name in totals:
        for row in table.rows:
            (sums if row["group"].is_part else totals)[name] += row[name].value
    assert totals == sums == {name: table.totals[name].value for name in totals}
    for row in parts:
        listed = page(staff, row["cost"].url).context["table"]
        assert listed.totals["cost"] == row["cost"].value
        page(staff, row["group"].url)
    rows = file_of(staff, f"/spend?by={by}&subgroup={subgroup}&range=7d")
    assert len(rows[0]) - len(table.columns) == 1
    assert sum(Decimal(row[2]) for row in rows[1:]) == totals["cost"]
    assert len(rows) - 1 == table.count == table.shown == len(parts)


def test_groups_and_subgroups_beyond_the_largest_are_other(staff, usage, monkeypatch):
    monkeypatch.setattr(spend_table, "GROUPS_MAX", 1)
    monkeypatch.setattr(spend_table, "SUBGROUPS_MAX", 1)
    by_agent = page(staff, "/spend?by=agent").context["table"]
    assert [row["group"] for row in by_agent.rows[1:]] == ["Other (2)"]
    assert (by_agent.shown, by_agent.count) == (1, 3)
    assert by_agent.rows[0]["cost"].value + by_agent.rows[1]["cost"] == cost(1479)
    assert b"1 of 3" in page(staff, "/spend?by=agent").content
    assert len(file_of(staff, "/spend?by=agent")) == 4
    address = "/spend?by=cost_centre&subgroup=agent"
    rows = page(staff, address).context["table"].rows
    shown = [
        (row["group"].value, row["cost"]) for row in rows[:3] if isinstance(row["group"], Cell)
    ]
    assert [name for name, _ in shown] == ["research", "ada", "Other (1)"]
    assert [row["group"] for row in rows[3:]] == ["Other (1)"]
    assert shown[2][1] == cost(9)
    assert rows[3]["cost"] == cost(70)
    assert len(file_of(staff, address)) == 4


def test_a_subgroup_is_kept_by_the_links_of_the_page(staff, usage):
    html = unescape(page(staff, "/spend?by=agent&subgroup=model").content.decode())
    assert "subgroup=model&metric=tokens" in html
    assert "by=model&subgroup" not in html
    assert "subgroup=key" in html
    assert page(staff, "/spend?by=agent&subgroup=agent").context["view"].subgroup == ""


def test_the_form_adds_a_filter(staff, usage):
    assert groups(staff, "by=agent&agent=ada&add=agent&value=bob") == {
        "ada": cost(1400),
        "bob": cost(9),
    }
    assert b"Remove the filter Agent: bob" in page(staff, "/spend?add=agent&value=bob").content


def test_the_default_view_is_live(lead, usage):
    html = page(lead, "/spend").content.decode()
    assert "/live?page=spend" in html
    assert "own_view" not in html
    assert "own_view" in page(lead, "/spend?by=agent").content.decode()
    audience = audience_of(get_user_model().objects.get(username="lena"))
    sent = find("spend").render(audience, NOON)
    assert "sales directly" in sent
    assert "research" not in sent


def test_a_day_is_shown_by_the_hour_and_an_hour_leads_to_its_charges(staff, usage):
    html = unescape(page(staff, "/spend?range=today").content.decode())
    [hour] = re.findall(r'href="(/charges\?since=2026-03-10T12[^"]*)"[^>]*class="column"', html)
    assert page(staff, hour).context["table"].totals["cost"] == cost(479)


def test_notes_are_marks_in_the_chart_and_said_below_it(staff, usage):
    first, second = (
        reports.add_note(noted_on=day.date(), text=f"Note {day:%d}", actor=ACTOR, now=NOON)
        for day in (NOON - DAY, NOON)
    )
    for address in ("/spend", "/"):
        html = page(staff, address).content.decode()
        for note in (first, second):
            label = f'aria-label="Note: {note.noted_on.day} Mar: {note.text}"'
            assert f'href="/reports#note-{note.pk}" {label}' in html, address
            assert f" Mar</time> {note.text}" in html, address
    by_month = page(staff, "/spend?from=2025-01-01&to=2026-03-31").context["chart"].svg
    assert by_month.count('class="note-mark"') == 1
    assert "9 Mar: Note 09\n10 Mar: Note 10" in by_month
    assert "note-mark" not in page(staff, "/spend?range=today").context["chart"].svg
    assert f'id="note-{first.pk}"' in page(staff, "/reports").content.decode()


def test_the_other_groups_are_one_in_the_chart_and_each_in_the_table(staff, usage):
    for number in range(9):
        keys.create_agent_without_limits(
            f"agent-{number}", cost_centre="sales", actor=ACTOR, now=NOON
        )
        report(allocate(f"agent-{number}", 1000), 200 + number, now=NOON)
    context = page(staff, "/spend?by=agent").context
    assert len(context["table"].rows) == 12
    assert context["chart"].legend[-1].name == "Other"
    assert context["chart"].table.totals["total"] == context["table"].totals["cost"].value


@pytest.mark.parametrize("metric", ["cost", "tokens", "calls", "cost_per_call"])
def test_any_figure_is_drawn_and_sorted_by(staff, usage, metric):
    context = page(staff, f"/spend?metric={metric}&by=agent").context
    assert context["table"].sort == f"-{metric}"
    assert [row["group"].value for row in context["table"].rows][0] == "ada"


def test_months_of_different_length_are_compared_by_as_many_days(staff, usage):
    add_usage = report(allocate("ada", 10_000, now=NOON - 10 * DAY), 300, now=NOON - 10 * DAY)
    context = page(staff, "/spend").context
    assert context["view"].days.previous.label == "19–28 Feb 2026"
    assert context["table"].totals["previous"].value == add_usage.cost
    assert "previous" not in {
        each.name for each in page(staff, "/spend?compare=off").context["table"].columns
    }


def test_a_group_that_spends_nothing_any_more_has_a_row(staff, usage):
    rows = page(staff, "/spend?range=today&by=model").context["table"].rows
    assert [row["cost"].value for row in rows] == [cost(479)]
    report(allocate("carol", 1000, now=NOON - DAY), 8, now=NOON - DAY)
    assert groups(staff, "from=2026-03-11&to=2026-03-11&by=agent").values() != []
    assert groups(staff, "from=2026-03-11&to=2026-03-11&by=agent")["carol"] == 0


def test_pages_of_charges_continue_where_they_ended(staff, usage):
    lent = allocate("carol", 100_000)
    for minute in range(60):
        charge = report(lent, 1 + minute % 7, now=NOON - timedelta(minutes=minute % 20))
        if minute % 9 == 0:
            adjust(charge, 20 + minute % 5, now=NOON)
            adjust(charge, minute % 8, idempotency_key="again", now=NOON)
    for sort in ("-settled_at", "settled_at", "-cost", "cost"):
        first = page(staff, f"/charges?sort={sort}").context["table"]
        second = page(staff, f"/charges?sort={sort}&after={first.next_page.replace('+', '%2B')}")
        rows = [*first.rows, *second.context["table"].rows]
        assert len(rows) == len({row["charge"].value for row in rows}) == first.count == 64
        assert sum(row["cost"].value for row in rows) == first.totals["cost"]
        shown = [tables.value(row, sort.removeprefix("-")) for row in rows]
        assert shown == sorted(shown, reverse=sort.startswith("-")), sort


def test_files_have_the_figures_of_their_pages(staff, usage):
    table = page(staff, "/spend?by=agent").context["table"]
    rows = file_of(staff, "/spend?by=agent")
    assert [Decimal(row[1]) for row in rows[1:]] == [row["cost"].value for row in table.rows]
    assert len(file_of(staff, "/charges?agent=ada")) == 3


def test_bound_people_see_their_part_only(lead, usage):
    assert groups(lead) == {"sales directly": cost(70)}
    assert groups(lead, "by=agent") == {"carol": cost(70)}
    assert groups(lead, "by=agent&cost_centre=org") == {"carol": cost(70)}
    assert groups(lead, "by=agent&agent=ada") == {}
    assert page(lead, "/charges").context["table"].totals["cost"] == cost(70)
    assert [row[4] for row in file_of(lead, "/charges?")][1:] == ["carol"]
    theirs, own = (Charge.objects.filter(allocation__agent=name)[0] for name in ("ada", "carol"))
    assert lead.get(f"/charges/{theirs.pk}").status_code == 404
    assert page(lead, f"/charges/{own.pk}")
    assert not page(lead, f"/charges?allocation={theirs.allocation_id}").context["table"].rows


@pytest.mark.parametrize("query", [*NONSENSE, *NONSENSE_OF_CHARGES])
def test_nonsense_in_the_query_is_a_page(staff, usage, query):
    page(staff, f"/charges?{query}")
    page(staff, f"/spend?{query}")


@pytest.mark.parametrize("query", NONSENSE_OF_CHARGES[:4])
def test_a_time_that_cannot_be_used_is_said(staff, usage, query):
    assert b"The time cannot be read" in page(staff, f"/charges?{query}").content


def test_an_empty_installation_has_its_pages(staff):
    assert b"Nothing was spent in these days." in page(staff, "/spend").content
    assert b"No charge was settled." in page(staff, "/charges").content
    assert staff.get("/charges/1").status_code == 404
    assert staff.get(f"/charges/{'9' * 30}").status_code == 404


def test_a_charge_says_how_its_cost_adds_up(staff, usage):
    adjusted = Charge.objects.get(adjustments__isnull=False)
    html = page(staff, f"/charges/{adjusted.pk}").content.decode()
    for words in ("0.001500000", "as billed", "0.001200000", "chosen as the best key", "openai-1"):
        assert words in html


def test_a_charge_that_was_only_held_has_no_cost(staff, usage):
    charge = hold(allocate("ada", 1000), 200)
    assert b"200 tokens are set aside" in page(staff, f"/charges/{charge.pk}").content


def test_pages_ask_little(staff, usage):
    charge = Charge.objects.first()
    for address in ("/spend", "/spend?by=agent&subgroup=key", "/charges", f"/charges/{charge.pk}"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page(staff, address)
        assert len(queries) <= QUERIES_MAX, address


def test_what_a_cost_centre_paid_directly_is_filtered(usage):
    which = SpendFilter(NOON - 2 * DAY, datetime(2026, 3, 11, tzinfo=UTC))
    assert spend_total(which._replace(paying_centres=("research",))).cost == cost(1409)
    assert spend_by(which._replace(paying_centres=("org",)), by="agent") == []
