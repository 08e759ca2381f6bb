"""Shared costs are split when a month is locked, frozen with it, and signed as files."""

import csv
import io
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from keys.books.queries.books_check import books_check
from keys.models import CostCentre
from reports import services as reports
from reports.models import CloseShare, CostShare, MonthClose, StatementNote
from reports.queries.statements import statement
from reports.refusals import ChecklistUnmet, MonthNotLocked, SharesInvalid
from reports.statement_files import signed_statement
from security import services as security
from security import signed_notes
from security.actor import Actor
from security.models import AuditEntry
from tests.gate.approvals import person
from tests.keys.builders import NOON, PAID, add_key, allocate, report
from tests.reports.closing import APRIL, IN_APRIL, IN_MAY, WAIVED, lock, sign, signers

pytestmark = pytest.mark.django_db
VERA = Actor.person("vera")
NO_BUCKET = {name: reason for name, reason in WAIVED.items() if name != "unallocated"}


def cost(tokens):
    return tokens * PAID.input / 1000


def share(source="research", method="even", targets=("sales",), **changes):
    """Research's costs go to sales."""
    return reports.share_costs(
        source=source,
        method=method,
        targets=dict(changes.get("percents") or dict.fromkeys(targets)),
        actor=VERA,
        reason="agreed",
        now=NOON,
    )


def mark_up(name, percent):
    reports.change_mark_up(
        CostCentre.objects.get(pk=name),
        percent=Decimal(percent),
        actor=VERA,
        reason="agreed",
        now=NOON,
    )


def total(close, name):
    return statement(close, name).total


@pytest.fixture
def march(people):
    """March: 100 tokens of ada (research), 7 of carol (sales)."""
    signers()
    add_key("openai-1", rates=PAID, provider="openai")
    report(allocate("ada"), 100)
    report(allocate("carol"), 7)


def test_shared_costs_and_mark_ups_are_lines_of_statements(march):
    share(method="fixed", percents={"sales": Decimal(60), "research": Decimal(40)})
    mark_up("sales", "10")
    close = lock()
    research, sales = statement(close, "research"), statement(close, "sales")
    assert [(line.what, line.cost) for line in research.lines if line.part == "share"] == [
        ("Shared by rule", -cost(100)),
        ("Share of research: 40.00 %, fixed shares", cost(40)),
    ]
    assert (research.total, sales.shared) == (cost(40), cost(60))
    assert (sales.mark_up, sales.lines[-1].what) == (cost(67) / 10, "Mark-up of 10 %")
    assert research.total + sales.total - sales.mark_up == close.cost


def test_a_month_with_unallocated_costs_is_locked_with_a_reason_only(march):
    share(method="fixed", percents={"sales": Decimal(60)})
    with pytest.raises(ChecklistUnmet) as refused:
        lock(waivers=NO_BUCKET)
    assert refused.value.items == ["unallocated"]
    assert not MonthClose.objects.exists() and not CloseShare.objects.exists()
    close = lock(waivers=NO_BUCKET | {"unallocated": "disputed"})
    assert (close.unallocated, close.unallocated_reason) == (cost(40), "disputed")
    assert close.checklist[-1]["waiver"] == "disputed"


def test_a_rule_for_the_bucket_empties_it(march):
    share(targets=())
    share(source=None, method="use", targets=("sales",))
    close = lock(waivers=NO_BUCKET)
    assert (close.unallocated, total(close, "research"), total(close, "sales")) == (
        0,
        0,
        close.cost,
    )


def test_by_use_counts_the_own_calls_of_the_month(march):
    share(method="use", targets=("research", "sales"))
    close = lock(waivers=NO_BUCKET)
    of = {each.target: each.amount for each in close.shares.all()}
    assert of["sales"] == (cost(100) * 7 / 107).quantize(Decimal("1e-9"))
    assert sum(of.values()) == cost(100)


def test_later_rules_change_nothing_of_a_closed_month(march):
    share()
    mark_up("sales", "5")
    close = lock()
    before = (total(close, "research"), total(close, "sales"))
    share(targets=("org",))
    mark_up("sales", "0")
    reports.stop_sharing(CostShare.objects.get(), actor=VERA, reason="over", now=NOON)
    assert (total(close, "research"), total(close, "sales")) == before
    for change in (
        lambda: close.shares.update(amount=1),
        lambda: CloseShare(close=close, target="org", weight=1, weights=1, amount=1).save(),
        lambda: MonthClose.objects.update(unallocated=1, unallocated_reason="x"),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_the_database_wants_a_reason_for_what_is_unallocated(march):
    close = lock()
    fields = {"month": APRIL, "starts_at": IN_APRIL, "ends_at": IN_MAY, "locked_at": IN_MAY}
    row = MonthClose(zone="UTC", checklist=[], unallocated=1, **fields)
    with pytest.raises(IntegrityError, match="unallocated_has_a_reason"), transaction.atomic():
        row.save()
    assert close.unallocated == 0


def test_corrections_are_split_as_usage_is(march):
    lock()
    share()
    report(allocate("ada", now=IN_APRIL), 10, now=IN_APRIL)
    close = lock(APRIL, now=IN_MAY)
    assert (total(close, "research"), total(close, "sales")) == (0, cost(10))


@pytest.mark.parametrize(
    "percents",
    [{"sales": None}, {"sales": Decimal(0)}, {"sales": Decimal(60), "org": Decimal(41)}],
)
def test_shares_that_are_no_parts_of_a_whole_are_refused(people, percents):
    with pytest.raises(SharesInvalid):
        share(method="fixed", percents=percents)
    assert not CostShare.objects.exists()


def test_a_source_has_one_rule_and_its_history_names_both(people):
    share()
    share(method="use", targets=("org", "sales"))
    assert CostShare.objects.get().targets.count() == 2
    entry = AuditEntry.objects.about("centre:research").latest("pk")
    assert (entry.before["targets"], entry.after["targets"]) == ("sales", "org, sales")


def test_books_checks_find_a_share_that_is_missing(march):
    share()
    lock()
    assert _finds("closed-month-shares") == []
    with transaction.atomic():
        _without_triggers("UPDATE reports_closeshare SET amount = amount + 1")
        assert len(_finds("closed-month-shares")) == 1
        _without_triggers("UPDATE reports_monthclose SET unallocated = 1, unallocated_reason = 'x'")
        assert len(_finds("closed-month-unallocated")) == 1


def test_a_note_is_written_until_the_month_is_signed(march):
    close = lock()
    for text in ("first", "second"):
        reports.write_note(close, cost_centre="sales", text=text, actor=VERA, now=IN_APRIL)
    assert statement(close, "sales").note.text == "second"
    close = sign(close, "vera", "paul")
    with pytest.raises(MonthNotLocked):
        reports.write_note(close, cost_centre="sales", text="third", actor=VERA, now=IN_APRIL)
    with pytest.raises(DatabaseError), transaction.atomic():
        StatementNote.objects.update(text="third")


@pytest.fixture
def file(march, tmp_path):
    """The signed statement of research for March, and its text."""
    share(method="fixed", percents={"sales": Decimal(60), "research": Decimal(40)})
    close = sign(lock(), "vera", "paul")
    found = statement(close, "research")
    text = signed_statement(found, organisation="=Org, Inc.", now=IN_APRIL)
    assert text == signed_statement(found, organisation="=Org, Inc.", now=IN_MAY)
    path = tmp_path / "statement.csv"
    path.write_bytes(text.encode())
    return path


def test_a_signed_statement_is_good(file, capsys):
    call_command("verify_statement", str(file))
    assert capsys.readouterr().out.startswith("Good: signed by ")
    rows = list(csv.reader(io.StringIO(file.read_text())))
    assert sum(Decimal(row[-1]) for row in rows[1:] if len(row) == 8) == cost(40)
    assert ["Total (USD)", f"{cost(40):f}"] in [
        [row[0], f"{Decimal(row[1]).normalize():f}"] if row[:1] == ["Total (USD)"] else row
        for row in rows
    ]
    assert ["Organisation", "'=Org, Inc."] in rows


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("Usage", "usage", 1),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "more\n",
        lambda text: text.rpartition("\n\n")[0] + "\n",
        lambda text: text[:-8] + "AAAA" + text[-4:],
        lambda text: text.replace("\u2014 ", "\u2014 other.", 1),
        lambda text: "",
    ],
)
def test_a_changed_statement_is_tampered(file, change):
    file.write_bytes(change(file.read_text()).encode())
    with pytest.raises(CommandError, match="Tampered"):
        call_command("verify_statement", str(file))


def test_what_is_signed_but_no_statement_is_tampered(file):
    file.write_text(signed_notes.sign("butler/audit\n7\nAAAA\n", now=IN_APRIL))
    with pytest.raises(CommandError, match="Tampered"):
        call_command("verify_statement", str(file))


def test_a_statement_of_a_reopened_month_is_good_and_counts_no_more(file, capsys):
    person("rita").user_permissions.add(Permission.objects.get(codename="reopen_monthclose"))
    close = MonthClose.objects.get()
    asked = reports.ask_reopening(close, reason="error", actor=VERA, now=IN_APRIL)
    security.approve(asked.pk, actor=Actor.person("rita"), now=IN_APRIL)
    call_command("verify_statement", str(file))
    assert "opened again" in capsys.readouterr().out


def _finds(name):
    (finding,) = [each for each in books_check() if each.check.name == f"9 {name}"]
    return finding.rows


def _without_triggers(sql):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)
        cursor.execute("SET LOCAL session_replication_role = origin")
