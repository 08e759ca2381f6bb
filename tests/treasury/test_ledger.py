"""Transfers, at once and in two phases."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from security.models import AuditEntry
from tests.actors import ACTOR
from tests.moments import NOON
from tests.treasury.builders import (
    CREDIT,
    EXPENSE,
    FUNDING,
    RAIL,
    TODAY,
    TRANSIT,
    available,
    balances,
    begin_pending,
    broken,
    entry,
    open_account,
    open_accounts,
    post_pending,
    transfer,
    void_pending,
)
from treasury import refusals
from treasury import services as treasury
from treasury.models import Account, ClosedPeriod, Phase, Transfer
from treasury.queries import balance

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def accounts():
    open_accounts()
    transfer(entry(RAIL, FUNDING, "100.00"))


@pytest.fixture(autouse=True)
def ledger_balances(accounts):
    yield
    assert broken() == []


def close(through, *, reason="Month end", now=NOON):
    return treasury.close_period(through, reason=reason, actor=ACTOR, now=now)


def test_money_moves_from_the_credited_to_the_debited_account():
    (moved,) = transfer(entry(CREDIT, RAIL, "40.00"))
    assert (moved.currency, moved.phase, moved.recorded_by) == ("USD", "single", str(ACTOR))
    assert balances(RAIL) == (60, 60)
    assert balances(CREDIT) == (40, 40)
    assert balances(FUNDING) == (100, 100)


def test_what_belongs_together_is_recorded_together_or_not_at_all():
    """A purchase of 39.97 with a fee of 0.03, as a textbook has it."""
    open_account("fees")
    bought, fee = transfer(entry(CREDIT, RAIL, "39.97"), entry("fees", RAIL, "0.03"))
    assert bought.journal == fee.journal
    assert balances(RAIL) == (60, 60)
    with pytest.raises(refusals.AccountOverdrawn):
        transfer(entry(CREDIT, RAIL, "59.99"), entry("fees", RAIL, "0.02"))
    assert balances(RAIL) == (60, 60)
    assert Transfer.objects.count() == 3


def test_the_same_idempotency_key_is_the_same_transfer():
    asked = entry(CREDIT, RAIL, 40)
    assert transfer(asked) == transfer(asked)
    assert balances(CREDIT) == (40, 40)
    with pytest.raises(refusals.TransferDiffers):
        transfer(entry(CREDIT, RAIL, 41, idempotency_key=asked.idempotency_key))


def test_one_key_in_one_call_is_one_transfer():
    asked = entry(CREDIT, RAIL, 40)
    first, second = transfer(asked, asked)
    assert first == second
    assert balances(CREDIT) == (40, 40)


def test_no_more_leaves_an_account_than_is_on_it():
    with pytest.raises(refusals.AccountOverdrawn) as refused:
        transfer(entry(CREDIT, RAIL, "100.01"))
    assert (refused.value.available, refused.value.needed) == (100, Decimal("100.01"))
    transfer(entry(EXPENSE, FUNDING, 5))
    assert balances(EXPENSE) == (5, 5)


def test_what_comes_in_by_the_same_call_can_leave_by_it():
    transfer(entry(RAIL, FUNDING, 10), entry(CREDIT, RAIL, 110))
    assert balances(RAIL) == (0, 0)


@pytest.mark.parametrize(
    ("debit", "credit", "amount", "says"),
    [
        (CREDIT, RAIL, "0.001", "decimal places"),
        (CREDIT, RAIL, "0", "more than 0"),
        (CREDIT, RAIL, "-1", "more than 0"),
        (CREDIT, RAIL, "NaN", "more than 0"),
        (RAIL, RAIL, "1", "two accounts"),
        ("rail:circle", RAIL, "1", "in USDC"),
    ],
)
def test_what_cannot_be_right_is_refused(debit, credit, amount, says):
    open_account("rail:circle", currency="USDC", scale=6)
    with pytest.raises(refusals.WrongTransfer, match=says):
        transfer(entry(debit, credit, amount))


def test_an_account_is_known_by_its_name():
    with pytest.raises(refusals.AccountNotFound, match="rail:none"):
        transfer(entry("rail:none", RAIL, 1))
    assert open_account(RAIL, scale=2) == Account.objects.get(name=RAIL)
    with pytest.raises(refusals.AccountDiffers):
        open_account(RAIL, scale=3)
    assert AuditEntry.objects.filter(action="account.open").count() == 5


def test_what_is_pending_is_not_available_and_arrives_nowhere():
    begin_pending(entry(TRANSIT, RAIL, 30), expires_at=NOON + HOUR)
    assert balances(RAIL) == (100, 70)
    assert balances(TRANSIT) == (0, 0)
    with pytest.raises(refusals.AccountOverdrawn):
        transfer(entry(CREDIT, RAIL, 71))
    with pytest.raises(refusals.AccountOverdrawn):
        transfer(entry(CREDIT, TRANSIT, 1))


def test_a_pending_transfer_is_posted_wholly():
    (pending,) = begin_pending(entry(TRANSIT, RAIL, 30), expires_at=NOON + HOUR)
    posted = post_pending(pending, reference="po_1")
    assert (posted.pending_of, posted.journal, posted.amount) == (pending, pending.journal, 30)
    assert balances(RAIL) == balances_after(70)
    assert balances(TRANSIT) == balances_after(30)
    assert post_pending(pending) == posted
    assert balances(TRANSIT) == balances_after(30)


def balances_after(amount):
    return amount, amount


def test_posting_less_frees_the_rest_and_posting_more_is_refused():
    (pending,) = begin_pending(entry(TRANSIT, RAIL, 30), expires_at=NOON + HOUR)
    with pytest.raises(refusals.ExceedsPendingTransfer):
        post_pending(pending, amount=Decimal("30.01"))
    post_pending(pending, amount=Decimal("12.50"))
    assert balances(RAIL) == (Decimal("87.5"), Decimal("87.5"))
    with pytest.raises(refusals.TransferEnded):
        post_pending(pending, amount=Decimal("13"))


def test_a_pending_transfer_ends_once():
    (pending,) = begin_pending(entry(TRANSIT, RAIL, 30), expires_at=NOON + HOUR)
    voided = void_pending(pending)
    assert void_pending(pending) == voided
    with pytest.raises(refusals.TransferEnded):
        post_pending(pending)
    assert balances(RAIL) == (100, 100)


def test_a_pending_transfer_expires_at_its_time_and_not_before():
    (pending,) = begin_pending(entry(TRANSIT, RAIL, 30), expires_at=NOON + HOUR)
    assert treasury.expire_pending(today=TODAY, now=NOON + HOUR - timedelta(microseconds=1)) == 0
    with pytest.raises(refusals.TransferEnded):
        post_pending(pending, now=NOON + HOUR)
    assert treasury.expire_pending(today=TODAY, now=NOON + HOUR) == 1
    assert treasury.expire_pending(today=TODAY, now=NOON + HOUR) == 0
    assert Transfer.objects.get(pending_of=pending).phase == Phase.EXPIRE
    assert available(RAIL) == 100


def test_a_closed_period_refuses_and_a_correction_names_what_it_corrects():
    (mistake,) = transfer(entry(CREDIT, RAIL, 40))
    close(TODAY)
    with pytest.raises(refusals.PeriodClosed):
        transfer(entry(RAIL, CREDIT, 10))
    later = TODAY + DAY
    (correction,) = transfer(
        entry(RAIL, CREDIT, 10, effective_on=later, corrects=mistake), now=NOON + DAY
    )
    assert list(mistake.corrections.all()) == [correction]
    with pytest.raises(refusals.PeriodClosed):
        close(TODAY)
    assert close(later, now=NOON + 2 * DAY).through == later
    assert AuditEntry.objects.filter(action="period.close", subjects=["ledger"]).count() == 2


def test_a_period_closes_with_a_reason():
    with pytest.raises(refusals.WrongTransfer):
        close(TODAY, reason=" ")
    assert not ClosedPeriod.objects.exists()


def test_a_balance_has_two_dates():
    """What was on the account on a day, and what was known of that at a moment."""
    rail = Account.objects.get(name=RAIL)
    transfer(entry(CREDIT, RAIL, 40, effective_on=TODAY - DAY), now=NOON + DAY)
    assert balance(rail) == 60
    assert balance(rail, on=TODAY - DAY) == -40
    assert balance(rail, on=TODAY) == 60
    assert balance(rail, on=TODAY, known_at=NOON) == 100
    begin_pending(entry(TRANSIT, RAIL, 30), expires_at=NOON + HOUR)
    assert balance(rail) == 60
    assert balance(Account.objects.get(name=FUNDING)) == 100


def insert(**changes):
    """A transfer written past the services."""
    (model,) = Transfer.objects.all()[:1]
    names = [field.attname for field in Transfer._meta.concrete_fields if field.name != "id"]
    row = {name: getattr(model, name) for name in names} | {"idempotency_key": "sql"} | changes
    with transaction.atomic():
        Transfer.objects.bulk_create([Transfer(**row)])
        # Constraints of two tables are checked at the end.
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"currency": "EUR"}, "transfer_debit_in_its_currency"),
        ({"amount": 0}, "transfer_moves_something"),
        ({"amount": Decimal("0.001")}, "transfer_fits_the_scales"),
        ({"phase": "post"}, "transfer_ends_a_pending_one"),
        ({"phase": "pending"}, "transfer_expires_if_pending"),
        ({"effective_on": TODAY - 40 * DAY}, "transfer_is_in_an_open_period"),
    ],
)
def test_the_database_refuses_what_the_services_refuse(changes, constraint):
    close(TODAY - 30 * DAY)
    with pytest.raises(IntegrityError, match=constraint):
        insert(**changes)


def test_the_database_refuses_to_overdraw():
    rail, credit = Account.objects.get(name=RAIL), Account.objects.get(name=CREDIT)
    with pytest.raises(IntegrityError, match="account_is_not_overdrawn"):
        insert(debit_id=credit.pk, credit_id=rail.pk, amount=101)


def test_the_database_ends_a_pending_transfer_as_agreed():
    (pending,) = begin_pending(entry(TRANSIT, RAIL, 30), expires_at=NOON + HOUR)
    as_agreed = {
        "debit_id": pending.debit_id,
        "credit_id": pending.credit_id,
        "amount": 30,
        "phase": "post",
        "expires_at": None,
        "pending_of_id": pending.pk,
    }
    for wrong in (
        {"amount": 31},
        {"phase": "void", "amount": 29},
        {"phase": "expire"},
        {"created_at": NOON + HOUR},
        {"debit_id": Account.objects.get(name=CREDIT).pk},
    ):
        with pytest.raises(IntegrityError, match="transfer_ends_what_is_pending"):
            insert(**as_agreed | wrong)
    insert(**as_agreed)
    with pytest.raises(IntegrityError, match="pending_of"):
        insert(**as_agreed | {"idempotency_key": "again"})


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE treasury_transfer SET amount = 1",
        "DELETE FROM treasury_transfer",
        "TRUNCATE treasury_transfer CASCADE",
        "UPDATE treasury_account SET currency = 'EUR'",
        "DELETE FROM treasury_account",
        "UPDATE treasury_closedperiod SET reason = 'x'",
        *(
            f"TRUNCATE treasury_{table} CASCADE"
            for table in (
                *("account", "closedperiod", "consumption", "payee", "purchasepolicy", "purchase"),
                *("purchaseattempt", "purchasestep", "providerreport", "reportline"),
                *("reconciliationrun", "difference", "providername", "railaccount", "railevent"),
                *("collection", "refund", "purchasereceipt", "x402payment", "railstatement"),
                *("exchangerate", "expiringcredit", "reloadevidence"),
            )
        ),
    ],
)
def test_rows_are_only_inserted(statement):
    close(TODAY - 30 * DAY)
    with (
        pytest.raises(DatabaseError, match="annot|only inserted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE treasury_transfer SET amount = amount + 1", "1 balances"),
        ("UPDATE treasury_account SET debits_posted = debits_posted + 1", "1 balances"),
        ("DELETE FROM treasury_transfer", "1 balances"),
        ("TRUNCATE treasury_transfer CASCADE", "1 balances"),
        ("UPDATE treasury_account SET may_overdraw = false WHERE name = 'fees'", ""),
        ("ALTER TABLE treasury_transfer DISABLE TRIGGER ALL", "7 kept-by-the-database"),
        (
            "ALTER TABLE treasury_account DROP CONSTRAINT account_is_not_overdrawn",
            "7 kept-by-the-database",
        ),
    ],
)
def test_what_a_superuser_changes_is_found(statement, check):
    savepoint = transaction.savepoint()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    found = [finding.check.name for finding in broken()]
    if check:
        assert check in found
        with pytest.raises(CommandError, match="Broken: "):
            call_command("check_ledger")
    else:
        assert found == []
    transaction.savepoint_rollback(savepoint)


def test_the_command_says_that_the_ledger_balances(capsys):
    call_command("check_ledger")
    assert "The ledger balances: 21 checks." in capsys.readouterr().out
