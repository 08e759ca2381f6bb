"""Charge-back statements: what a cost centre pays for a closed month, as page and file."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command

from reports.models import CostShare, MarkUp, MonthClose
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
    assert (found.usage, found.corrections) == (cost(30), cost(-10))
    assert found.previous.total == cost(100)
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


def test_the_list_has_all_statements_with_their_sums(april):
    shown = signed_in("fay").get("/reports/statements").content.decode()
    for path in ("2026-03/research", "2026-03/sales", "2026-04/research"):
        assert f'href="/reports/statements/{path}"' in shown
    answer = signed_in("gus").get("/reports/statements", {"format": "csv", "month": "2026-03"})
    text = b"".join(answer.streaming_content).decode()
    lines = list(csv.DictReader(io.StringIO(text.partition("\r\n\r\n")[0])))
    assert {line["Cost centre"]: Decimal(line["Total (USD)"]) for line in lines} == {
        "research": cost(100),
        "sales": cost(7),
    }


def test_bound_people_find_their_statements_alone(april):
    shown = signed_in("tom", "finance", "research").get("/reports/statements").content.decode()
    assert "2026-03/research" in shown and "2026-03/sales" not in shown


def test_the_signed_file_is_that_of_the_page(april, tmp_path, capsys):
    answer = signed_in("fay").get(f"{PAGE}/signed")
    assert answer["Content-Disposition"] == 'attachment; filename="statement-2026-04-research.csv"'
    path = tmp_path / "statement.csv"
    path.write_bytes(answer.content)
    call_command("verify_statement", str(path))
    assert "Good" in capsys.readouterr().out
    tom = signed_in("tom", "finance", "research")
    assert tom.get("/reports/statements/2026-03/sales/signed").status_code == 404


def test_finance_splits_costs_and_others_only_read(people):
    url = "/reports/shared-costs"
    asked = {"source": "research", "method": "fixed", "targets": "sales 60%\norg 15.5"}
    fay = signed_in("fay")
    wrong = asked | {"targets": "sales 60\nsales 1", "reason": "agreed"}
    assert "Name each cost centre once" in fay.post(f"{url}?act=split", wrong).content.decode()
    wrong = asked | {"targets": "moon", "reason": "agreed"}
    assert "no cost centre moon" in fay.post(f"{url}?act=split", wrong).content.decode()
    wrong = asked | {"targets": "sales 60, org 41", "reason": "agreed"}
    assert "add up to 100" in fay.post(f"{url}?act=split", wrong).content.decode()
    assert fay.post(f"{url}?act=split", asked | {"reason": "agreed"}).status_code == 302
    assert "org 15.5 %, sales 60 %" in fay.get(url).content.decode()
    change = {"centre": "sales", "percent": "-2.5", "reason": "agreed"}
    assert fay.post(f"{url}?act=mark-up", change).status_code == 302
    assert MarkUp.objects.get().percent == Decimal("-2.5")
    stop = {"rule": CostShare.objects.get().pk, "reason": "over"}
    assert signed_in("vic", "viewer").post(f"{url}?act=stop", stop).status_code == 403
    assert fay.post(f"{url}?act=stop", stop).status_code == 302
    assert not CostShare.objects.exists()


def test_the_page_of_a_month_waives_what_is_unallocated(people):
    add_key("openai-1", rates=PAID, provider="openai")
    report(allocate("ada"), 100)
    fay = signed_in("fay")
    asked = {"source": "research", "method": "even", "targets": "", "reason": "agreed"}
    fay.post("/reports/shared-costs?act=split", asked)
    page = fay.get("/reports/months/2026-03?act=lock").content.decode()
    assert "waive_unallocated" in page and f"{cost(100):.9f}" in page
    assert 'href="/reports/shared-costs"' in page


def test_a_note_is_written_on_the_page_of_a_statement(people):
    signers()
    add_key("openai-1", rates=PAID, provider="openai")
    report(allocate("ada"), 100)
    close = lock()
    url = "/reports/statements/2026-03/research"
    fay = signed_in("fay")
    assert fay.post(f"{url}?act=note", {"text": "as agreed"}).status_code == 302
    assert "as agreed" in fay.get(url).content.decode()
    sign(close, "vera", "paul")
    assert fay.post(f"{url}?act=note", {"text": "other"}).status_code == 403


@pytest.mark.parametrize("path", ["2026-05/research", "2026-13/research", "2026-04/nowhere"])
def test_what_is_not_closed_has_no_statement(april, path):
    assert signed_in("fay").get(f"/reports/statements/{path}").status_code == 404


def test_the_page_takes_few_queries(april, django_assert_max_num_queries):
    client = signed_in("fay")
    with django_assert_max_num_queries(20):
        client.get(PAGE)
