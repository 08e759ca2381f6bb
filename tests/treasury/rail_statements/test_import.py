"""Statements against the ledger: imported once, matched, and what people do with what is left."""

from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from alerts.models import Alert
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.moments import NOON
from tests.treasury.builders import (
    CREDIT,
    FUNDING,
    RAIL,
    TRANSIT,
    balances,
    broken,
    entry,
    open_account,
    open_accounts,
)
from tests.treasury.builders import transfer as post
from tests.treasury.purchases import approve, make_decider
from tests.treasury.rail_statements import files
from treasury import jobs
from treasury import services as treasury
from treasury.models import (
    Account,
    Difference,
    RailMatch,
    RailStatement,
    RailStatementLine,
    Transfer,
)
from treasury.queries.rail_statements import statement_balance
from treasury.refusals import (
    AccountNotFound,
    RailStatementKnown,
    RailStatementOverlaps,
    RailStatementUnreadable,
    WrongDifference,
)
from treasury.services import RailStatementFile

TODAY = NOON.date()
YESTERDAY, LATER = TODAY - timedelta(days=1), TODAY + timedelta(days=9)
pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(db):
    """A bank with 100.00 since yesterday."""
    open_accounts()
    post(entry(RAIL, FUNDING, "100.00", effective_on=YESTERDAY, reference="OPEN-1"))


def bring(*rows, opening="100.00", closing, account=RAIL, headings="day,amount,reference", **more):
    content = "\n".join([headings, *rows]).encode()
    asked = {"opening": Decimal(opening), "closing": Decimal(closing)} | more
    file = RailStatementFile(account=account, format="csv", content=content, **asked)
    return treasury.import_rail_statement(file, actor=ACTOR, now=NOON)


def camt(content, account=RAIL):
    file = RailStatementFile(account=account, format="camt053", content=content)
    return treasury.import_rail_statement(file, actor=ACTOR, now=NOON)


def left():
    return list(Difference.objects.filter(status="open").order_by("pk"))


def match_again():
    account = Account.objects.get(name=RAIL)
    return treasury.match_rail_statements(account, actor=ACTOR, now=NOON)


def test_what_agrees_leaves_no_difference(bank):
    open_account("fees:bank")
    paid, fee = post(
        entry(TRANSIT, RAIL, "20.00", reference="PAY-1"), entry("fees:bank", RAIL, "0.88")
    )
    statement, count = bring(f"{TODAY},-20.00,PAY-1", f"{TODAY},-0.88,", closing="79.12")
    assert count == 0 and not Difference.objects.exists()
    assert set(RailMatch.objects.values_list("transfer_id", "rule")) == {
        (paid.pk, "reference"),
        (fee.pk, "amount"),
    }
    found = statement_balance(statement)
    assert (found.closing, found.ledger, found.rest) == (Decimal("79.12"), Decimal("79.12"), 0)
    assert not Alert.objects.filter(kind="rail_statement_differs").exists() and not broken()
    entries = AuditEntry.objects.about(f"rail_statement:{statement.pk}")
    assert entries.get().action == "rail_statement.import"


def test_lines_and_transfers_without_another_side_are_differences_until_they_have_one(bank):
    missing = post(entry(TRANSIT, RAIL, "30.00", reference="PAY-2"))[0]
    bring(f"{TODAY},0.00,", f"{LATER},-20.00,PAY-1", closing="80.00")
    assert [(each.kind, each.own, each.theirs) for each in left()] == [
        ("missing_line", -30, 0),
        ("missing_transfer", 0, -20),
    ]
    assert left()[0].own_transfer == missing and left()[1].line.reference == "PAY-1"
    alert = Alert.objects.get(kind="rail_statement_differs")
    assert alert.resolved_at is None and alert.facts["difference_id"] == left()[0].pk
    # Found again, they are the same rows.
    assert match_again() == 2
    post(entry(TRANSIT, RAIL, "20.00", reference="PAY-1", effective_on=LATER))
    assert jobs.match_rail_statements() == 1
    (last,) = left()
    treasury.explain_difference(last.pk, reason="the bank is late", actor=ACTOR, now=NOON)
    alert.refresh_from_db()
    assert alert.resolved_at is not None
    assert sorted(Difference.objects.values_list("status", flat=True)) == ["explained", "gone"]
    # What is settled stays so.
    assert match_again() == 0 and not broken()


def test_a_line_is_adjusted_by_a_second_person_and_then_matched(bank):
    make_decider()
    bring(f"{TODAY},-21.00,PAY-1", closing="79.00")
    (found,) = left()
    waiting = treasury.adjust_difference(found.pk, reason="unknown", actor=ACTOR, now=NOON)
    assert f"USD move from {RAIL} to unexplained:usd: missing_transfer on" in waiting.effect
    approve(waiting)
    found.refresh_from_db()
    assert (found.status, found.transfer.amount) == ("adjusted", 21)
    assert balances(RAIL)[0] == 79 and balances("unexplained:usd")[0] == 21
    assert RailMatch.objects.get().transfer == found.transfer
    assert match_again() == 0 and not broken()


def test_another_amount_is_adjusted_by_what_it_differs(bank):
    make_decider()
    paid = post(entry(TRANSIT, RAIL, "20.00", reference="PAY-1"))[0]
    bring(f"{TODAY},-21.00,PAY-1", closing="79.00")
    (found,) = left()
    assert (found.kind, found.amount, found.own_transfer) == ("other_amount", -1, paid)
    approve(treasury.adjust_difference(found.pk, reason="their fee", actor=ACTOR, now=NOON))
    assert balances(RAIL)[0] == 79
    assert RailMatch.objects.filter(line=found.line).count() == 2
    assert match_again() == 0 and not broken()


def test_a_missing_line_is_not_adjusted(bank):
    post(entry(TRANSIT, RAIL, "30.00", reference="PAY-2"))
    bring(f"{TODAY},0.00,", f"{LATER},5.00,PAY-1", closing="105.00")
    found = Difference.objects.get(kind="missing_line")
    with pytest.raises(WrongDifference, match="where it was recorded"):
        treasury.adjust_difference(found.pk, reason="x", actor=ACTOR, now=NOON)


def test_a_statement_that_begins_with_something_else_is_a_difference(bank):
    make_decider()
    bring(f"{TODAY},-20.00,PAY-1", opening="110.00", closing="90.00")
    first = Difference.objects.get(kind="balance")
    assert (first.own, first.theirs, first.day) == (100, 110, TODAY)
    approve(treasury.adjust_difference(first.pk, reason="interest", actor=ACTOR, now=NOON))
    assert balances(RAIL)[0] == 110
    assert match_again() == 1  # the line
    assert Difference.objects.get(kind="balance").status == "adjusted" and not broken()


def test_days_between_two_statements_are_those_of_the_ledger(bank):
    bring(f"{TODAY},1.00,PAY-1", closing="101.00")
    third = TODAY + timedelta(days=3)
    post(entry(RAIL, FUNDING, "1.00", reference="PAY-1"))
    post(entry(TRANSIT, RAIL, "20.00", effective_on=TODAY + timedelta(days=1), reference="PAY-2"))
    # The statement between them is missing.
    bring(f"{third},2.00,PAY-3", opening="81.00", closing="83.00")
    assert not Difference.objects.filter(kind="balance").exists()
    # Nothing moved between them: the days are its own.
    following, _ = bring(f"{LATER},3.00,PAY-4", opening="83.00", closing="86.00")
    assert following.since == third + timedelta(days=1)
    assert "missing_transfer" in {each.kind for each in left()}


def test_what_the_bank_books_later_is_no_difference_of_balances(bank):
    post(entry(TRANSIT, RAIL, "20.00", effective_on=YESTERDAY, reference="PAY-1"))
    statement, count = bring(f"{TODAY},-20.00,PAY-1", closing="80.00")
    # It is older than the first statement, so it is not looked for; the balance says so.
    assert {each.kind for each in left()} == {"missing_transfer", "balance"} and count == 2
    found = statement_balance(statement)
    assert found.rest == 0


def test_a_file_is_imported_once_and_its_days_are_taken(bank):
    statement, _ = bring(f"{TODAY},-20.00,PAY-1", closing="80.00")
    with pytest.raises(RailStatementKnown, match=f"statement {statement.pk} already"):
        bring(f"{TODAY},-20.00,PAY-1", closing="80.00")
    with pytest.raises(RailStatementOverlaps, match=f"Statement {statement.pk}"):
        bring(f"{TODAY},-20.00,PAY-9", closing="80.00")
    with pytest.raises(IntegrityError, match="days_are_free"), transaction.atomic():
        statement.pk, statement.digest = None, b"2" * 32
        statement.save(force_insert=True)
    assert RailStatement.objects.count() == RailStatementLine.objects.count() == 1
    for change in (
        lambda: RailStatement.objects.update(closing=1),
        lambda: RailStatementLine.objects.all().delete(),
        lambda: RailMatch.objects.create(
            line=RailStatementLine.objects.get(),
            transfer=Transfer.objects.exclude(pk=0).first(),
            rule="x",
            matched_at=NOON,
        ).delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("UPDATE treasury_railstatement SET content = 'x'", "17 rail-statements"),
        ("UPDATE treasury_railstatement SET closing = closing + 1", "17 rail-statements"),
        ("UPDATE treasury_railstatementline SET amount = amount - 1", "17 rail-statements"),
        ("UPDATE treasury_transfer SET amount = 21 WHERE amount = 20", "18 matched-lines"),
    ],
)
def test_what_a_superuser_changes_is_found_by_the_ledger_check(bank, change, check):
    post(entry(TRANSIT, RAIL, "20.00", reference="PAY-1"))
    bring(f"{TODAY},-20.00,PAY-1", closing="80.00")
    assert not broken()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(change)
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert check in {finding.check.name for finding in broken()}


def test_a_transfer_of_another_account_is_no_match(bank):
    post(entry(TRANSIT, FUNDING, "9"))
    (other,) = post(entry(CREDIT, TRANSIT, "5.00"))
    bring(f"{TODAY},-5.00,PAY-1", closing="95.00")
    with pytest.raises(IntegrityError, match="is_of_the_account"), transaction.atomic():
        RailMatch.objects.create(
            line=RailStatementLine.objects.get(), transfer=other, rule="x", matched_at=NOON
        )


def test_what_cannot_be_right_is_refused_and_nothing_is_kept(bank):
    open_account("rail:euro", currency="EUR", scale=2)
    booked = files.entry(TODAY, "-20", "PAY-1")
    good = files.camt(files.statement("100", "80", booked))
    with pytest.raises(RailStatementUnreadable, match="is in USD, and rail:euro in EUR"):
        camt(good, account="rail:euro")
    with pytest.raises(RailStatementUnreadable, match="no rail or bank"):
        camt(good, account=CREDIT)
    with pytest.raises(AccountNotFound):
        camt(good, account="rail:none")
    with pytest.raises(RailStatementUnreadable, match="2 decimal places"):
        bring(f"{TODAY},-20.0001,PAY-1", closing="79.9999")
    with pytest.raises(RailStatementUnreadable, match="document type"):
        camt(b"<!DOCTYPE x []>" + good.partition(b"?>")[2])
    assert not RailStatement.objects.exists() and not Difference.objects.exists()
    statement, _ = camt(good)
    assert bytes(RailStatement.objects.get(pk=statement.pk).content) == good
    later = files.statement(
        "80", "85", files.entry(LATER, "5"), since=LATER, until=LATER, iban="DE999"
    )
    with pytest.raises(RailStatementUnreadable, match="earlier statements"):
        camt(files.camt(later))


def test_the_command_imports_and_says_what_is_wrong(bank, tmp_path, capsys):
    path = tmp_path / "bank.csv"
    path.write_text(f"Date,Money\n{TODAY},-20.00\n")
    names = ["--column", "day=Date", "--column", "amount=Money"]
    with pytest.raises(CommandError, match="does not tell its balances"):
        call_command("import_rail_statement", RAIL, "csv", str(path), *names)
    given = ["--opening", "100", "--closing", "80.00"]
    call_command("import_rail_statement", RAIL, "csv", str(path), *names, *given)
    assert "1 lines" in capsys.readouterr().out
    assert RailStatement.objects.get().file_name == "bank.csv"
    with pytest.raises(CommandError, match="already"):
        call_command("import_rail_statement", RAIL, "csv", str(path), *names, *given)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_rail_statement", RAIL, "csv", str(tmp_path / "none"))
    with pytest.raises(CommandError, match="not an amount"):
        call_command("import_rail_statement", RAIL, "csv", str(path), "--opening", "NaN")


@pytest.mark.django_db(transaction=True)
def test_two_who_import_one_file_at_once_have_it_once():
    open_accounts()
    post(entry(RAIL, FUNDING, "100.00", effective_on=YESTERDAY))
    barrier, outcomes = Barrier(2), []

    def import_it():
        barrier.wait(timeout=10)
        try:
            outcomes.append(bring(f"{TODAY},-20.00,PAY-1", closing="80.00")[0].pk)
        except RailStatementKnown as refusal:
            outcomes.append(refusal)
        finally:
            connection.close()

    threads = [Thread(target=import_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(isinstance(each, RailStatementKnown) for each in outcomes) == [False, True]
    assert RailStatementLine.objects.count() == Difference.objects.count() == 1
