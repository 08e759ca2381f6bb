"""Charge-back statements: what a cost centre pays for a closed month, as page and file."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import ProgrammingError

from keys import services as keys
from reports import services as reports
from reports.models import CostShare, MarkUp, MonthClose
from reports.queries.closed_centres import frozen_centres
from reports.queries.statements import statement
from tests.actors import ACTOR
from tests.dashboard.test_reports import signed_in
from tests.keys.builders import PAID, add_key, adjust, allocate, report
from tests.moments import NOON
from tests.reports.closing import (
    APRIL,
    IN_APRIL,
    IN_JUNE,
    IN_MAY,
    MARCH,
    MAY,
    lock,
    sign,
    signers,
)

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


def test_a_statement_opens_with_what_the_fiscal_year_had_before(april):
    """March had 100 tokens; a fiscal year that begins in April opens with nothing."""
    march = MonthClose.objects.get(month=MARCH)
    first, second = statement(march, "research"), statement(april, "research")
    assert (first.opening, first.closing) == (0, cost(100))
    assert (second.opening, second.closing) == (first.closing, cost(100) + cost(20))
    fay = signed_in("fay")
    assert "charged from January 2026" in fay.get(PAGE).content.decode()
    signed = fay.get(f"{PAGE}/signed").content.decode()
    assert f"Opening (USD),{cost(100):.9f}\n" in signed
    assert f"Closing (USD),{cost(120):.9f}\n" in signed


def test_the_fiscal_year_of_a_closed_month_stays_when_the_setting_changes(april):
    keys.change_organisation(fiscal_year_starts=4, actor=ACTOR, reason="test", now=IN_MAY)
    assert statement(april, "research").opening == cost(100)
    may = lock(MAY, now=IN_JUNE)
    assert may.fiscal_year_began == APRIL
    assert statement(may, "research").opening == cost(20)
    with pytest.raises(ProgrammingError, match="Cannot update"):
        MonthClose.objects.filter(pk=may.pk).update(fiscal_year_began=MARCH)


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


def move(centre, parent, *, now):
    keys.move_cost_centre(
        centre,
        parent=parent,
        open_work=keys.OpenWorkRule.END,
        reason="merged",
        actor=ACTOR,
        now=now,
    )


@pytest.fixture
def moved(people):
    """March: 100 tokens of research, which is then closed. April: 30, then research moves below
    sales and uses 7 more."""
    signers()
    add_key("openai-1", rates=PAID, provider="openai")
    report(allocate("ada"), 100)
    march = lock()
    report(allocate("ada", now=IN_APRIL), 30, now=IN_APRIL)
    move("research", "sales", now=IN_APRIL)
    later = IN_APRIL + timedelta(days=3)
    report(allocate("ada", now=later), 7, now=later)
    return march, lock(APRIL, now=IN_MAY)


def total(answer):
    """What the table of a file adds up to."""
    text = b"".join(answer.streaming_content).decode()
    lines = csv.DictReader(io.StringIO(text.partition("\r\n\r\n")[0]))
    return sum(Decimal(line["Cost (USD)"]) for line in lines)


def test_a_closed_month_stays_in_the_part_of_the_tree_that_paid_it(moved):
    march, april = moved
    tom = signed_in("tom", "finance", "sales")
    assert tom.get("/reports/statements/2026-03/research").status_code == 404
    assert total(tom.get("/reports/statements/2026-03/research", {"format": "csv"})) == 0
    listed = tom.get("/reports/statements").content.decode()
    assert "2026-03/research" not in listed and "2026-04/research" in listed
    # Of the month in which it moved, they see what was spent below theirs.
    path = "/reports/statements/2026-04/research"
    page = tom.get(path).content.decode()
    assert "Only what was spent in the part of the tree that you see" in page
    assert "the month before has no statement here" in page and "Signed CSV" not in page
    assert tom.get(f"{path}/signed").status_code == 404
    assert total(tom.get(path, {"format": "csv"})) == cost(7)
    assert "$0.000021" in listed and "$0.000111" not in listed
    # All of it is in one statement, which says what was spent where.
    whole = statement(april, "research")
    assert [(line.what, line.tokens) for line in whole.lines] == [
        ("Usage, at org / research", 30),
        ("Usage, at org / sales / research", 7),
    ]
    assert whole.previous.total == cost(100)
    assert [line.what for line in statement(march, "research").lines] == ["Usage"]


def test_who_sees_a_part_of_the_fiscal_year_gets_no_opening(moved):
    """Research was elsewhere in March: those who see only sales see no sum with that month."""
    at = IN_MAY + timedelta(days=1)
    report(allocate("ada", now=at), 5, now=at)
    may = lock(MAY, now=IN_JUNE)
    found = statement(may, "research", within=["sales"])
    assert found.is_whole and (found.opening, found.closing) == (None, None)
    assert statement(may, "research").opening == cost(137)
    page = signed_in("tom", "finance", "sales").get("/reports/statements/2026-05/research")
    assert "Opening" not in page.content.decode()


def test_who_paid_for_a_cost_centre_that_left_keeps_its_statements(moved):
    move("research", "", now=IN_MAY)
    olga = signed_in("olga", "finance", "org")
    page = olga.get("/reports/statements/2026-03/research").content.decode()
    assert "$0.0003" in page and "Signed CSV" in page
    assert "2026-03/research" in olga.get("/reports/statements").content.decode()
    # It is not theirs any more.
    assert olga.get("/budgets/research").status_code == 404


def test_shared_costs_are_only_in_whole_statements(people):
    signers()
    add_key("openai-1", rates=PAID, provider="openai")
    report(allocate("carol"), 50)
    share = {"source": "sales", "method": "even", "targets": {"research": None}}
    reports.share_costs(**share, actor=ACTOR, reason="agreed", now=IN_APRIL)
    report(allocate("ada"), 30)
    move("research", "sales", now=NOON)
    report(allocate("ada"), 7)
    march = lock()
    parts = {
        part: statement(march, "research", within=[part]).total
        for part in ("org", "sales", "research")
    }
    assert parts == {"org": cost(87), "sales": cost(7), "research": cost(87)}
    for part, amount in parts.items():
        (found,) = [
            each
            for each in frozen_centres([march.pk], within=[part])[march.pk]
            if each.cost_centre == "research"
        ]
        assert found.total == amount
