"""Tables as files: every row in its order, exact figures, and what the file says about itself."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from common.admin.visible_rows import visible_to
from dashboard import exports, jobs, tables
from dashboard.exports import requests
from dashboard.exports.content import Content
from dashboard.tables import Cell, Column, Table
from gate.models import CentreBinding
from keys import services as keys
from keys.models import Agent
from reports import services as reports
from reports.models import ExportFile
from reports.services.export_files import SILENCE
from tests.actors import GRACE
from tests.dashboard.workbooks import sheets
from tests.moments import NOON

pytestmark = pytest.mark.django_db
SPRING = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
COLUMNS = [
    Column("agent", "Agent", "link"),
    Column("cost", "Cost", "money", unit="USD", total=True),
    Column("tokens", "Tokens", "tokens", total=True),
    Column("last", "Last call", "moment"),
]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"]
FORMULAS += ["\N{FULLWIDTH EQUALS SIGN}1+1", "\N{FULLWIDTH COMMERCIAL AT}SUM(A1)"]
INERT = [(name, f"'{name}") for name in FORMULAS]
# O67: where a semicolon separates cells, and a quote within one does nothing.
INERT += [("\n=1+1", "'\n'=1+1"), ("x;=1+1;", "x;'=1+1;"), ("x;-1", "x;'-1")]
INERT += [
    ("x\n=1+1", "x\n'=1+1"),
    ("x;\N{FULLWIDTH EQUALS SIGN}1", "x;'\N{FULLWIDTH EQUALS SIGN}1"),
]
INERT += [(name, name) for name in ("a=b", "a; b", "a-b", "x; =1")]
COSTS = [Decimal("0.000000001"), Decimal("4812.300000002"), Decimal("123456789.123456789")]


def rows():
    yield {"agent": Cell("ada", "/agents/ada"), "cost": COSTS[0], "tokens": 3, "last": SPRING}
    yield {"agent": "bob", "cost": COSTS[1], "tokens": None, "last": None}
    yield {"agent": "carol", "cost": COSTS[2], "tokens": -4, "last": SPRING}


def spend(every=rows, **changes):
    """The table of a page that shows two of three rows."""
    values = {"name": "spend", "title": "Spend by agent", "columns": COLUMNS, "sort": "-cost"}
    return Table(**values | {"rows": list(every())[:2], "count": 3, "every_row": every} | changes)


def agents(user, query, now):
    """Each agent that the person sees costs a dollar."""
    seen = visible_to(user, Agent.objects.order_by("slug"))
    if centre := query.get("centre"):
        seen = seen.filter(cost_centre=centre)
    return spend(lambda: ({"agent": agent.name, "cost": Decimal(1)} for agent in seen))


@pytest.fixture
def registered(monkeypatch):
    """`registered(builder)`: the page's table is built so."""
    monkeypatch.setattr(tables, "_registered", {})

    def register(builder):
        tables._registered.clear()
        tables.register("spend", builder, permission="keys.view_charge")

    return register


def person(name="vera", *centres, may="view_charge"):
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename=may))
    for centre in centres:
        CentreBinding.objects.create(person=user, cost_centre_id=centre)
    return user


@exports.exported("spend")
def page(request, **kwargs):
    return HttpResponse("the page")


def get(user, query, **kwargs):
    request = RequestFactory().get(f"/spend?{query}")
    request.user, request.session = user, {}
    request._messages = CookieStorage(request)
    return page(request, **kwargs)


def body(answer):
    return b"".join(answer) if answer.streaming else answer.content


def lines(answer):
    return list(csv.reader(io.StringIO(body(answer).decode())))


def test_a_page_without_a_format_stays_a_page(registered):
    registered(lambda *asked: spend())
    assert get(person(), "format=pdf").content == b"the page"


def test_a_csv_has_every_row_with_exact_figures(registered):
    """O67."""
    registered(lambda *asked: spend())
    answer = get(person(), "agent=ada&format=csv&sort=-cost")
    found = lines(answer)
    assert found[0] == ["Agent", "Cost (USD)", "Tokens", "Last call (UTC)"]
    assert found[1] == ["ada", "0.000000001", "3", "2026-03-29T01:30:00+00:00"]
    assert found[2] == ["bob", "4812.300000002", "", ""]
    assert found[3][:3] == ["carol", "123456789.123456789", "-4"]
    facts = dict(found[5:])
    assert found[4] == []
    assert facts["Total Cost (USD)"] == f"{sum(COSTS):f}" == "123461601.423456792"
    assert facts["Total Tokens"] == "-1"
    assert (facts["Rows"], facts["Filters"]) == ("3", "agent = ada")
    assert facts["Order"] == "Cost, descending"
    assert (facts["Time zone"], facts["Made by"]) == ("UTC", "vera")
    assert facts["Page"].endswith("/spend?agent=ada&sort=-cost")
    assert answer["Content-Disposition"].startswith('attachment; filename="spend-20')


@pytest.mark.parametrize("page", ["charges", "spend"])
@pytest.mark.parametrize(
    "query", ["from=2026-13-01", "from=2026-11-02&to=2026-11-01", "month=2026-1", "range=90"]
)
def test_days_that_cannot_be_read_give_no_file(admin_client, people, page, query):
    """O67: an accountant would not see that it is of this month."""
    for file_format in ("csv", "xlsx"):
        answer = admin_client.get(f"/{page}?{query}&format={file_format}")
        assert answer.status_code == 400
        assert answer.content.decode().startswith("The dates cannot be read")
    assert admin_client.get(f"/{page}?{query}").status_code == 200


def test_only_excel_gets_a_mark_of_the_encoding(registered):
    registered(lambda *asked: spend())
    assert body(get(person(), "format=csv")).startswith(b"Agent")
    assert body(get(person("bob"), "format=csv&excel=1")).startswith(b"\xef\xbb\xbfAgent")


def test_a_workbook_has_the_same_rows_and_the_facts_on_a_second_sheet(registered):
    registered(lambda *asked: spend())
    table, about = sheets(body(get(person(), "format=xlsx")))
    assert [text for _, text in table[0]][1:3] == ["Cost (USD)", "Tokens"]
    assert table[1][1][0] == "n" and Decimal(table[1][1][1]) == COSTS[0]
    assert [Decimal(row[1][1]) for row in table[1:]] == COSTS
    # Excel's floats cannot hold this number.
    assert table[3][1] == ("inlineStr", "123456789.123456789")
    facts = {name: fact for (_, name), (_, fact) in about}
    assert facts["Total Cost (USD)"] == "123461601.423456792"
    assert facts["Made by"] == "vera"


@pytest.mark.parametrize(("name", "inert"), INERT)
def test_a_name_is_no_formula(registered, name, inert):
    registered(lambda *asked: spend(lambda: iter([{"agent": name, "cost": Decimal(-1)}])))
    user = person()
    raw = body(get(user, "format=csv")).decode()
    first = next(csv.reader(io.StringIO(raw.partition("\r\n")[2], newline="")))
    assert first[:2] == [inert, "-1"]
    table, _ = sheets(body(get(user, "format=xlsx")))
    assert table[1][0][0] == "inlineStr"
    assert table[1][1] == ("n", "-1")


@given(st.lists(st.decimals(-(10**9), 10**9, places=9), max_size=30))
def test_the_total_of_the_file_is_the_sum_of_its_rows(costs):
    table = spend(lambda: ({"agent": "ada", "cost": cost} for cost in costs))
    content = Content(table, {}, UTC, "", "", "", NOON)
    assert len(list(content.rows())) == len(costs)
    assert content.sums["cost"] == sum(costs)


def test_times_are_in_the_reporting_zone_when_clocks_change(registered):
    registered(lambda *asked: spend())
    keys.change_organisation(
        reporting_zone="Europe/Berlin", actor=GRACE, reason="we moved", now=NOON
    )
    user = person()
    found = lines(get(user, "format=csv"))
    assert found[0][3] == "Last call (Europe/Berlin)"
    assert found[1][3] == "2026-03-29T03:30:00+02:00"
    table, _ = sheets(body(get(user, "format=xlsx")))
    # Excel counts days since 1900.
    assert table[1][3] == ("n", "46110.14583333334")


def test_the_head_comes_before_any_row_is_read_and_pieces_are_small(registered):
    read = []

    def many():
        for number in range(5_000):
            read.append(number)
            yield {"agent": "a" * 60, "cost": Decimal(number)}

    registered(lambda *asked: spend(every_row=many))
    pieces = iter(get(person(), "format=csv"))
    assert next(pieces).startswith(b"Agent") and read == []
    next(pieces)
    assert len(read) < 2_000
    assert max(map(len, pieces)) < 80_000


def test_people_get_the_rows_that_they_see(registered, people):
    registered(agents)
    of_all, of_research = person("vera"), person("ruth", "research")
    assert [row[0] for row in lines(get(of_all, "format=csv"))[1:4]] == ["ada", "bob", "carol"]
    for query, names in (("", ["ada", "bob"]), ("&centre=sales", [])):
        found = lines(get(of_research, f"format=csv{query}"))
        assert [row[0] for row in found[1 : found.index([])]] == names
        table, _ = sheets(body(get(of_research, f"format=xlsx{query}")))
        assert [row[0][1] for row in table[1:]] == names
    with pytest.raises(PermissionDenied):
        get(person("olga", may="view_agent"), "format=csv")


def test_parameters_of_the_path_reach_the_builder(registered):
    seen = {}
    registered(lambda user, query, now: seen.update(query.dict()) or spend())
    get(person(), "key=other&format=csv", key="nvidia-1")
    assert seen == {"key": "nvidia-1"}


@pytest.fixture
def large(registered, monkeypatch, people):
    """A table that is too large for a request; vera has asked for it."""
    monkeypatch.setattr(requests, "REQUEST_ROWS_MAX", 2)
    registered(lambda *asked: spend())
    user = person()
    answer = get(user, "format=xlsx&agent=ada&after=2")
    file = ExportFile.objects.get()
    assert answer.url == f"/reports/files/{file.pk}"
    assert file.query == "agent=ada&after=2"
    return user, file


def fetch(client, user, file):
    client.force_login(user)
    return client.get(f"/reports/files/{file.pk}/content")


def test_a_large_workbook_is_made_by_a_job(client, large):
    user, file = large
    assert fetch(client, user, file).status_code == 404
    assert "waits for its turn" in client.get(f"/reports/files/{file.pk}").content.decode()
    jobs.make_export(file.pk)
    assert "3 rows" in client.get(f"/reports/files/{file.pk}").content.decode()
    assert "spend-" in client.get("/reports").content.decode()
    answer = fetch(client, user, file)
    table, about = sheets(body(answer))
    assert (len(table), about[0][1][1]) == (4, "123461601.423456792")
    assert int(answer["Content-Length"]) > 5_000


def test_a_file_is_for_its_owner_alone(client, large):
    _, file = large
    jobs.make_export(file.pk)
    stranger = person("bob")
    assert fetch(client, stranger, file).status_code == 404
    assert client.get(f"/reports/files/{file.pk}").status_code == 404
    stranger.is_superuser = True
    stranger.save()
    assert fetch(client, stranger, file).status_code == 404


def test_a_file_is_not_for_an_owner_who_may_see_less_now(client, large):
    user, file = large
    jobs.make_export(file.pk)
    assert fetch(client, user, file).status_code == 200
    CentreBinding.objects.create(person=user, cost_centre_id="research")
    assert fetch(client, user, file).status_code == 403
    shown = client.get(f"/reports/files/{file.pk}").content.decode()
    assert "Your access has changed" in shown and "Download" not in shown
    CentreBinding.objects.all().delete()
    user.user_permissions.clear()
    assert fetch(client, user, file).status_code == 403


def test_a_job_makes_no_file_for_an_owner_who_may_see_less_now(large):
    user, file = large
    user.user_permissions.clear()
    jobs.make_export(file.pk)
    file.refresh_from_db()
    assert (file.status, file.parts.count()) == ("failed", 0)
    assert "Your access has changed" in file.error


def test_a_job_that_died_runs_again(client, registered, large, monkeypatch):
    user, file = large

    def dies():
        yield from rows()
        raise SystemExit

    registered(lambda *asked: spend(dies))
    with pytest.raises(SystemExit):
        jobs.make_export(file.pk)
    file.refresh_from_db()
    assert (file.status, file.parts.count()) == ("running", 0)
    jobs.make_export(file.pk)
    assert ExportFile.objects.get().status == "running"
    registered(lambda *asked: spend())
    assert reports.resume_exports(job=exports.JOB, now=file.progressed_at + SILENCE) == 1
    jobs.make_export(file.pk)
    assert len(sheets(body(fetch(client, user, file)))[0]) == 4


def test_a_workbook_of_too_many_rows_is_not_cut_off(large, monkeypatch):
    _, file = large
    monkeypatch.setattr("dashboard.exports.xlsx_files.ROWS_MAX", 2)
    jobs.make_export(file.pk)
    file.refresh_from_db()
    assert (file.status, file.parts.count()) == ("failed", 0)
    assert "Choose CSV" in file.error


def test_a_long_address_is_refused(large):
    user, _ = large
    assert get(user, f"format=xlsx&agent={'a' * 3_000}").status_code == 414
