"""Final charges move to partitions by month, and who reads charges sees no difference."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from keys import services as keys
from keys.books import sql
from keys.books.queries.charges import figures
from keys.models import Allocation, Charge, ChargePartition
from security.audit_chain.seal import seal_rows
from security.audit_chain.verify import verify
from tests.books import assert_books_balance
from tests.keys.builders import (
    PAID,
    add_key,
    adjust,
    allocate,
    complete,
    hold,
    limit,
    report,
    settle,
)
from tests.moments import NOON

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
LATER = NOON + keys.PARTITIONED_AFTER + DAY


@pytest.fixture
def session(people):
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    return allocate("ada", tokens=100_000)


def in_table(table="keys_charge"):
    """The ids of the charges in this table itself."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM ONLY {table} ORDER BY id")  # noqa: S608 - a name
        return [pk for (pk,) in cursor.fetchall()]


def calls(allocation, number, *, now=NOON):
    """Settled calls."""
    charges = [hold(allocation, 500, now=now) for _ in range(number)]
    for charge in charges:
        settle(charge, 400, now=now)
    return [charge.pk for charge in charges]


def test_charges_of_a_session_that_closed_long_ago_move_to_their_month(session):
    charges = calls(session, 3)
    before = list(Charge.objects.order_by("pk").values())
    complete(session)
    assert keys.partition_charges(now=LATER) == 3
    assert in_table() == []
    assert in_table("keys_charge_2026_03") == charges
    assert list(Charge.objects.order_by("pk").values()) == before
    assert ChargePartition.objects.get().month == MARCH
    assert keys.partition_charges(now=LATER) == 0
    assert_books_balance()


def test_a_month_is_that_in_which_the_session_was_lent(session):
    moment = datetime(2026, 4, 1, tzinfo=UTC)
    older = allocate("ada", tokens=1_000, now=moment - timedelta(seconds=1))
    newer = allocate("ada", tokens=1_000, now=moment)
    for allocation in (older, newer):
        calls(allocation, 2, now=moment + timedelta(minutes=1))
        complete(allocation, now=moment + timedelta(minutes=2))
    assert keys.partition_charges(now=LATER + 30 * DAY) == 4
    assert len(in_table("keys_charge_2026_03")) == 2
    assert len(in_table("keys_charge_2026_04")) == 2
    assert_books_balance()


def test_what_can_still_change_stays(session):
    final = calls(session, 1)
    released = hold(session, 500)
    keys.release(charge=released, now=NOON)
    expired = hold(session, 500, ttl_seconds=60)
    (sent,) = keys.hold_many(
        [keys.HoldRequest(session.pk, 500, 500, "sent", route="/v1/messages", ttl_seconds=60)],
        now=NOON,
    )
    keys.expire_charges(now=NOON + timedelta(minutes=2))
    held = hold(session, 500, ttl_seconds=3600)
    complete(session)
    assert keys.partition_charges(now=LATER) == 2
    assert in_table() == [expired.pk, sent.pk, held.pk]
    assert in_table("keys_charge_2026_03") == [*final, released.pk]
    # They are settled late, as ever, and what is settled then moves, too.
    assert settle(expired, 300, now=LATER) == 1
    assert keys.partition_charges(now=LATER) == 1
    assert_books_balance()


def test_charges_of_open_sessions_and_of_those_that_closed_a_short_time_ago_stay(session):
    other = allocate("bob", tokens=10_000)
    calls(session, 2)
    calls(other, 2)
    complete(other, now=NOON + DAY)
    assert keys.partition_charges(now=LATER - DAY) == 0
    assert keys.partition_charges(now=LATER + timedelta(seconds=1)) == 2
    assert len(in_table()) == 2


def test_a_charge_in_a_partition_is_read_adjusted_and_settled_again_like_any(session):
    limit(session.agent, 1_000_000, period="month")
    (pk,) = calls(session, 1)
    complete(session)
    keys.partition_charges(now=LATER)
    charge = Charge.objects.get(pk=pk)
    assert settle(charge, 400, now=LATER) == 0
    adjust(charge, 350, now=LATER)
    assert figures(charge)["tokens"] == 350
    assert Allocation.objects.get().used == 350
    assert keys.expire_charges(now=LATER) == 0
    assert_books_balance()


def test_the_audit_chain_finds_every_row_as_it_was_sealed(session):
    calls(session, 3)
    complete(session)
    seal_rows(now=NOON)
    keys.partition_charges(now=LATER)
    assert verify(now=NOON).findings == []


def test_a_row_that_was_not_sealed_before_it_moved_is_sealed_after(session):
    calls(session, 3)
    complete(session)
    keys.partition_charges(now=LATER)
    while seal_rows(now=NOON):
        pass
    assert verify(now=NOON).findings == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM keys_charge",
        "DELETE FROM ONLY keys_charge",
        "DELETE FROM keys_charge_2026_03",
        "UPDATE keys_charge SET cost = 1",
        "UPDATE keys_charge_2026_03 SET model = 'other'",
        "INSERT INTO keys_charge_2026_03 SELECT * FROM ONLY keys_charge_2026_03",
        # What is not final, and what is not as it is in the table.
        "INSERT INTO keys_charge_2026_03 SELECT * FROM ONLY keys_charge WHERE status = 'held'",
        "WITH moved AS (SELECT * FROM ONLY keys_charge) INSERT INTO keys_charge_2026_03"
        " SELECT (jsonb_populate_record(c, '{\"cost\": 5}')).* FROM moved m"
        " JOIN keys_charge c USING (id) WHERE c.status = 'settled'",
    ],
)
def test_no_statement_changes_or_deletes_a_charge(session, statement):
    calls(session, 2)
    complete(session)
    keys.partition_charges(now=LATER)
    other = allocate("bob", tokens=10_000)
    calls(other, 1)
    hold(other, 500)
    before = list(Charge.objects.order_by("pk").values())
    with (
        pytest.raises(DatabaseError, match="final|Cannot|only from|duplicate key"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert list(Charge.objects.order_by("pk").values()) == before


def test_a_changed_copy_lets_no_charge_go(session):
    calls(session, 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE keys_charge_forged (LIKE keys_charge) INHERITS (keys_charge);"
            "INSERT INTO keys_charge_forged SELECT * FROM ONLY keys_charge;"
            "UPDATE keys_charge_forged SET cost = cost + 1"
        )
    with (
        pytest.raises(DatabaseError, match="Cannot delete"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM ONLY keys_charge")
    assert len(in_table()) == 1


def test_an_adjustment_needs_a_charge(session):
    (pk,) = calls(session, 1)
    adjustment = adjust(Charge.objects.get(pk=pk), 350)
    adjustment.pk, adjustment.charge_id = None, pk + 1
    with pytest.raises(DatabaseError, match="does not exist"), transaction.atomic():
        adjustment.save(force_insert=True)


def test_a_month_is_complete_when_nothing_can_come_any_more(session):
    calls(session, 2)
    other = allocate("bob", tokens=10_000, now=NOON + DAY)
    calls(other, 1, now=NOON + DAY)
    complete(session)
    keys.partition_charges(now=LATER)
    assert keys.complete_partitions(now=LATER) == 0
    complete(other, now=NOON + DAY)
    assert keys.complete_partitions(now=LATER + 2 * DAY) == 0
    keys.partition_charges(now=LATER + 2 * DAY)
    assert keys.complete_partitions(now=LATER + 2 * DAY) == 1
    partition = ChargePartition.objects.get()
    assert (partition.charges, partition.tokens) == (3, 1200)
    assert (partition.settled_from, partition.settled_until) == (NOON, NOON + DAY)
    assert keys.complete_partitions(now=LATER + 2 * DAY) == 0


def plan_of(queryset):
    return "\n".join(line for line in queryset.explain().splitlines() if "_2026_03" in line)


def test_queries_pass_complete_months_over(session):
    (pk,) = calls(session, 1)
    complete(session)
    keys.partition_charges(now=LATER)
    keys.complete_partitions(now=LATER)
    settled = Charge.objects.filter(status="settled")
    assert plan_of(settled.filter(settled_at__gte=NOON))
    assert not plan_of(settled.filter(settled_at__gt=NOON))
    assert plan_of(Charge.objects.filter(pk=pk))
    assert not plan_of(Charge.objects.filter(pk=pk + 1))
    assert not plan_of(Charge.objects.filter(allocation=session.pk + 1))


def test_what_becomes_final_after_its_month_is_complete_stays(session):
    calls(session, 1)
    expired = hold(session, 500, ttl_seconds=60)
    complete(session)
    keys.expire_charges(now=NOON + DAY)
    keys.partition_charges(now=LATER)
    assert keys.complete_partitions(now=LATER) == 1
    assert settle(expired, 300, now=LATER) == 1
    assert keys.partition_charges(now=LATER) == 0
    assert in_table() == [expired.pk]
    assert_books_balance()


def test_usage_that_was_reported_moves_too(session):
    report(session, 700)
    complete(session)
    assert keys.partition_charges(now=LATER) == 1
    assert_books_balance()


def test_statements_of_calls_in_flight_plan_no_partition(session):
    """Each statement of the books that a call waits for reads `ONLY keys_charge`."""
    in_flight = ("HOLD", "HOLD_ONE", "EXTEND_HOLDS", "END", "CLOSE", "RECORD", "REPORTED")
    for name in (*in_flight, "CHARGE", "CUT_CHARGES"):
        text = getattr(sql, name).text.replace("INSERT INTO keys_charge (", "")
        assert text.count("keys_charge ") == text.count("ONLY keys_charge "), name
