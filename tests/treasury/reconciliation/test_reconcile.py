"""Imports, comparisons with the books, and what persons do with differences."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from alerts.models import Alert
from keys import services as keys
from security.models import Approval
from security.refusals import ApprovalOutdated
from tests.actors import ACTOR
from tests.keys.builders import PAID, add_key, allocate, hold, make_people, report
from tests.moments import NOON
from tests.treasury.builders import balances, broken
from tests.treasury.purchases import add_payee, approve, make_decider
from treasury import services as treasury
from treasury.models import (
    Account,
    Difference,
    ProviderReport,
    ReconciliationRun,
    ReportLine,
    Transfer,
)
from treasury.refusals import (
    DifferenceSettled,
    NothingToReconcile,
    ReportUnreadable,
    WrongDifference,
)
from treasury.services import ReportFile

pytestmark = pytest.mark.django_db
TODAY = NOON.date()


@pytest.fixture(autouse=True)
def office(settings):
    settings.SIMULATOR_URL = "http://127.0.0.1:1"
    make_people()
    add_key("openai-1", rates=PAID, provider="openai")


def spend(tokens=100_000, *, now=NOON, request_id="", **ending):
    """A charge; with a request id, of a call through the gateway."""
    allocation = allocate(tokens=200_000, now=now)
    if not request_id:
        return report(allocation, tokens, now=now)
    charge = hold(allocation, tokens, now=now)
    settled = keys.Settlement(
        charge,
        "settled",
        keys.Usage(input_tokens=tokens),
        provider_request_id=request_id,
        **ending,
    )
    keys.settle_many([settled], now=now)
    charge.refresh_from_db()
    return charge


def bring(*rows, format="csv", now=NOON, headings="day,key,model,amount,request_id", **changes):
    """Import a CSV file."""
    content = "\n".join([headings, *rows]).encode()
    file = ReportFile(provider="openai", format=format, content=content, **changes)
    return treasury.import_report(file, actor=ACTOR, now=now)


def compare(*, since=TODAY, until=TODAY, now=NOON):
    treasury.reconcile("openai", since=since, until=until, actor=ACTOR, now=now)
    return list(Difference.objects.filter(status="open"))


def test_what_agrees_has_no_differences():
    charge = spend()
    bring(f"{TODAY},openai-1,model-1,{charge.cost},")
    assert compare() == []
    run = ReconciliationRun.objects.get()
    assert (run.own, run.theirs, run.found) == (charge.cost, charge.cost, 0)
    assert not Alert.objects.filter(kind="bill_differs").exists()


def test_a_report_is_imported_once_and_kept():
    first = bring(f"{TODAY},openai-1,model-1,1,")
    again = bring(f"{TODAY},openai-1,model-1,1,")
    assert first[1] and again == (first[0], False)
    assert ReportLine.objects.count() == 1
    for change in (
        lambda: ProviderReport.objects.update(file_name="x"),
        lambda: ReportLine.objects.update(amount=2),
        lambda: ReportLine.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_nothing_is_half_imported():
    with pytest.raises(ReportUnreadable, match="Line 3"):
        bring(f"{TODAY},openai-1,model-1,1,", f"{TODAY},openai-1,model-1,one,")
    assert not ProviderReport.objects.exists() and not ReportLine.objects.exists()
    with pytest.raises(ReportUnreadable, match="no provider"):
        treasury.import_report(
            ReportFile(provider="nobody", format="csv", content=b"x"), actor=ACTOR, now=NOON
        )


def test_a_later_report_of_a_day_replaces_the_earlier_one():
    charge = spend()
    bring(f"{TODAY},openai-1,model-1,0.1,")
    assert len(compare()) == 1
    bring(f"{TODAY},openai-1,model-1,{charge.cost},", now=NOON + timedelta(hours=1))
    assert compare() == []
    assert Difference.objects.get().status == "gone"


def test_without_a_report_there_is_nothing_to_compare():
    spend()
    with pytest.raises(NothingToReconcile):
        compare()
    with pytest.raises(NothingToReconcile):
        compare(since=TODAY, until=TODAY - timedelta(days=1))


def test_a_missing_day_is_found_once_and_alarms_until_it_is_settled():
    spend()
    yesterday = TODAY - timedelta(days=1)
    bring(f"{yesterday},openai-1,model-1,0.001,")
    (found,) = compare(since=yesterday)
    assert (found.kind, found.day, found.theirs) == ("missing_day", TODAY, 0)
    assert compare(since=yesterday) == [found]
    alert = Alert.objects.get(kind="bill_differs")
    assert alert.facts["difference_id"] == found.pk and alert.resolved_at is None
    with pytest.raises(WrongDifference):
        treasury.accept_difference(found.pk, reason=" ", actor=ACTOR, now=NOON)
    treasury.accept_difference(found.pk, reason="not billed yet", actor=ACTOR, now=NOON)
    alert.refresh_from_db()
    assert alert.resolved_at is not None
    # Found again, it stays settled.
    assert compare(since=yesterday) == []
    with pytest.raises(DifferenceSettled):
        treasury.explain_difference(found.pk, reason="x", actor=ACTOR, now=NOON)


def test_the_database_keeps_what_was_found_and_wants_a_reason():
    spend()
    bring(f"{TODAY},openai-1,model-1,9,")
    (found,) = compare()
    for change in ({"theirs": 1}, {"status": "accepted"}, {"kind": "tax"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Difference.objects.filter(pk=found.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        Difference.objects.all().delete()


def test_single_calls_are_found_by_their_ids_and_adjusted_in_the_books():
    cheap, same = spend(50_000, request_id="req-1"), spend(request_id="req-2")
    billed = cheap.cost * 2
    bring(f"{TODAY},openai-1,model-1,{billed},req-1", f"{TODAY},openai-1,model-1,{same.cost},req-2")
    (found,) = compare()
    assert (found.kind, found.charge_id) == ("price", cheap.pk)
    treasury.adjust_difference(found.pk, reason="as billed", actor=ACTOR, now=NOON)
    assert cheap.adjustments.get().cost == cheap.cost
    assert cheap.adjustments.get().tokens == 0
    found.refresh_from_db()
    assert found.status == "adjusted"
    assert compare() == []


def test_a_large_amount_of_a_single_call_needs_a_second_person():
    make_decider()
    charge = spend(50_000, request_id="req-1")
    bring(f"{TODAY},openai-1,model-1,{charge.cost + 11},req-1")
    (found,) = compare()
    waiting = treasury.adjust_difference(found.pk, reason="as billed", actor=ACTOR, now=NOON)
    assert isinstance(waiting, Approval) and f"Charge {charge.pk} counts" in waiting.effect
    assert not charge.adjustments.exists()
    with pytest.raises(IntegrityError, match="adjusted_by_two"), transaction.atomic():
        Difference.objects.update(
            status="adjusted", reason="alone", settled_by="x", settled_at=NOON
        )
    approve(waiting)
    assert treasury.adjust_approved(actor=ACTOR, now=NOON) == 1
    assert treasury.adjust_approved(actor=ACTOR, now=NOON) == 0
    assert charge.adjustments.get().cost == 11
    found.refresh_from_db()
    assert (found.status, found.reason) == ("adjusted", "as billed")
    assert compare() == []


def test_a_correction_that_broke_off_between_books_and_worklist_is_finished():
    charge = spend(50_000, request_id="req-1")
    bring(f"{TODAY},openai-1,model-1,{charge.cost + 1},req-1")
    (found,) = compare()
    treasury.adjust_difference(found.pk, reason="x", actor=ACTOR, now=NOON)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE treasury_difference SET status = 'open'")
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    treasury.adjust_difference(found.pk, reason="x", actor=ACTOR, now=NOON)
    assert charge.adjustments.get().cost == 1


@pytest.mark.parametrize(
    ("billed_more", "request_id", "adjusted"),
    [("0.01", "req-1", "0.01"), ("11", "req-1", None), ("0.01", "req-2", None)],
)
def test_an_estimate_is_trued_up_once_with_its_evidence(billed_more, request_id, adjusted):
    charge = spend(50_000, request_id="req-1", basis="estimated")
    billed = charge.cost + Decimal(billed_more)
    report_row, _ = bring(f"{TODAY},openai-1,model-1,{billed},{request_id}")
    assert bool(compare()) == (adjusted is None)
    if adjusted is None:
        assert not charge.adjustments.exists()
        return
    (adjustment,) = charge.adjustments.all()
    assert (adjustment.cost, adjustment.tokens) == (Decimal(adjusted), 0)
    assert f"report {report_row.pk} bill" in adjustment.reason and "req-1" in adjustment.reason
    assert compare() == [] and charge.adjustments.count() == 1
    # What a later report changes is for a person.
    bring(f"{TODAY},openai-1,model-1,{billed + 1},req-1", now=NOON + timedelta(hours=1))
    assert [each.kind for each in compare()] == ["price"]
    assert charge.adjustments.count() == 1


def test_a_reported_charge_is_not_trued_up():
    charge = spend(50_000, request_id="req-1")
    bring(f"{TODAY},openai-1,model-1,{charge.cost * 2},req-1")
    assert len(compare()) == 1
    assert not charge.adjustments.exists()


def test_a_call_that_the_provider_does_not_bill_costs_nothing_then():
    kept, free = spend(request_id="req-1"), spend(50_000, request_id="req-2")
    bring(f"{TODAY},openai-1,model-1,{kept.cost},req-1")
    (found,) = compare()
    assert (found.kind, found.charge_id) == ("missing_call", free.pk)
    treasury.adjust_difference(found.pk, reason="not billed", actor=ACTOR, now=NOON)
    assert free.adjustments.get().cost == -free.cost


def test_a_sum_is_adjusted_in_the_ledger_by_a_second_person():
    make_decider()
    add_payee()
    charge = spend()
    bring(f"{TODAY},openai-1,model-1,{charge.cost + 2},")
    (found,) = compare()
    waiting = treasury.adjust_difference(found.pk, reason="ask them", actor=ACTOR, now=NOON)
    assert isinstance(waiting, Approval) and not Transfer.objects.exists()
    approve(waiting)
    found.refresh_from_db()
    assert found.status == "adjusted"
    assert (found.transfer.amount, found.transfer.effective_on) == (2, TODAY)
    assert balances("unexplained:usd")[0] == 2 and balances("credit:openai")[0] == -2
    treasury.post_consumption(found.transfer.credit, now=NOON)
    assert broken() == []


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE treasury_providerreport SET content = 'other bytes'", "12 reports"),
        ("DELETE FROM treasury_reportline", "12 reports"),
        ("TRUNCATE treasury_reportline", "12 reports"),
        ("UPDATE treasury_difference SET theirs = 5", "13 adjustments"),
        ("TRUNCATE treasury_difference", "13 adjustments"),
        ("TRUNCATE treasury_consumption", "11 consumption-and-transfers"),
    ],
)
def test_what_a_superuser_changes_is_found(statement, check):
    make_decider()
    add_payee()
    charge = spend()
    bring(f"{TODAY},openai-1,model-1,{charge.cost + 2},")
    (found,) = compare()
    approve(treasury.adjust_difference(found.pk, reason="x", actor=ACTOR, now=NOON))
    treasury.post_consumption(Account.objects.get(name="credit:openai"), now=NOON)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    assert [finding.check.name for finding in broken()] == [check]


def test_a_difference_that_was_settled_before_the_second_person_decides_is_not_adjusted():
    make_decider()
    add_payee()
    spend()
    bring(f"{TODAY},openai-1,model-1,9,")
    (found,) = compare()
    waiting = treasury.adjust_difference(found.pk, reason="ask them", actor=ACTOR, now=NOON)
    treasury.accept_difference(found.pk, reason="they are right", actor=ACTOR, now=NOON)
    with pytest.raises(ApprovalOutdated):
        approve(waiting)
    assert not Transfer.objects.exists()


def test_names_are_learnt_once():
    charge = spend()
    bring(f"{TODAY},key_abc,model-1,{charge.cost},")
    (found,) = compare()
    assert (found.kind, found.api_key, found.their_key) == ("other_name", "openai-1", "key_abc")
    treasury.learn_names(found.pk, reason="the console says so", actor=ACTOR, now=NOON)
    assert compare() == []
    assert ReconciliationRun.objects.first().found == 0


def test_quantities_of_costs_and_usage_count_once():
    """Usage tells the tokens, so the price is what differs."""
    charge = spend()
    bring(
        f"{TODAY},openai-1,model-1,{charge.cost * 2 + Decimal('0.07')},7",
        headings="day,key,model,amount,quantity",
    )
    content = (
        b'{"data": [{"start_time": 1773100800, "results": [{"api_key_id": "openai-1", '
        b'"model": "model-1", "num_model_requests": 1, "input_tokens": 100000, '
        b'"output_tokens": 0}]}]}'
    )
    file = ReportFile(provider="openai", format="openai_usage", content=content)
    treasury.import_report(file, actor=ACTOR, now=NOON)
    assert [each.kind for each in compare()] == ["price"]


def test_the_command_imports_a_file(tmp_path, capsys):
    path = tmp_path / "bill.csv"
    path.write_text(f"Date,amount\n{TODAY},1\n")
    arguments = ["import_provider_report", "openai", "csv", str(path)]
    with pytest.raises(CommandError, match="no column day"):
        call_command(*arguments)
    call_command(*arguments, "--column", "day=Date")
    assert "1 lines from 2026-03-10" in capsys.readouterr().out
    call_command(*arguments, "--column", "day=Date")
    assert "already" in capsys.readouterr().out
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_provider_report", "openai", "csv", str(tmp_path / "none"))
