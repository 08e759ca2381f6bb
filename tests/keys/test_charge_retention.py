"""Retention deletes the charges of months that need not be kept, and says so; sums stay."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection

from alerts.models import Alert
from keys import services as keys
from keys.books.queries import retention_guards
from keys.books.queries.spend import SpendFilter, spend_total
from keys.identity.queries.organisation import organisation
from keys.models import Adjustment, Charge, ChargePartition, UsageSlice
from keys.refusals import ChargeNotFound, WrongValue
from security import services as security
from security.audit_chain.seal import seal_rows
from security.audit_chain.verify import verify
from security.models import Approval, AuditEntry
from security.refusals import ApprovalOutdated
from tests.actors import ACTOR, GRACE
from tests.books import assert_books_balance
from tests.gate.approvals import person
from tests.gateway import exchanges
from tests.keys.builders import PAID, add_key, adjust, allocate, complete, hold, limit, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
# Charges of March 2026 are kept for 13 months: through April 2027.
DUE = datetime(2027, 5, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def second_person(people):
    """`grace` may decide approvals."""
    person("grace")


@pytest.fixture
def unguarded(monkeypatch):
    """Nothing else needs the charges."""
    monkeypatch.setattr(retention_guards, "_guards", [])


@pytest.fixture
def session(people):
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    limit(keys.subject_at("centre:research"), 10_000_000, period="total")
    return allocate("ada", tokens=100_000)


def spend(allocation, *, now=NOON, calls=3):
    """Settled calls of a session that is closed then."""
    for _ in range(calls):
        settle(hold(allocation, 500, now=now), 400, now=now)
    complete(allocation, now=now)


def partition(now=DUE):
    """All that can be moved is moved, and complete."""
    keys.partition_charges(now=now)
    keys.complete_partitions(now=now)


def keep(months):
    """Keep charges for so long, as two people want."""
    approval = keys.propose_retention(months=months, reason="storage", actor=ACTOR, now=NOON)
    if approval:
        security.approve(approval.pk, actor=GRACE, now=NOON)


def seal():
    while seal_rows(now=DUE):
        pass


def test_charges_are_kept_for_ever_unless_somebody_says_otherwise(session, unguarded):
    spend(session)
    partition()
    assert keys.delete_old_charges(now=DUE + 3650 * DAY) == 0
    assert Charge.objects.count() == 3


def test_the_charges_of_an_old_month_are_deleted_and_their_sums_stay(session, unguarded):
    spend(session)
    newer = allocate("ada", tokens=10_000, now=NOON + 40 * DAY)
    spend(newer, now=NOON + 40 * DAY)
    everything = SpendFilter(since=NOON - DAY, until=NOON + 90 * DAY)
    before = spend_total(everything)
    slices = list(UsageSlice.objects.values())
    partition()
    keep(13)
    assert keys.delete_old_charges(now=DUE - DAY) == 0
    assert keys.delete_old_charges(now=DUE) == 1
    assert Charge.objects.count() == 3
    assert spend_total(everything) == before
    assert list(UsageSlice.objects.values()) == slices
    deleted = ChargePartition.objects.get(dropped_at=DUE)
    assert (deleted.charges, deleted.tokens, deleted.status) == (3, 1200, "deleted")
    [entry] = AuditEntry.objects.about("charges:2026-03")
    assert entry.before["charges"] == 3
    assert keys.delete_old_charges(now=DUE) == 0
    assert_books_balance()


def test_the_audit_chain_tells_retention_from_theft(session, unguarded):
    spend(session)
    spend(allocate("ada", tokens=10_000, now=NOON + 40 * DAY), now=NOON + 40 * DAY)
    partition()
    keep(13)
    seal()
    keys.delete_old_charges(now=DUE)
    seal()
    found = verify(now=DUE)
    assert found.findings == []
    assert found.deleted == 3
    stolen = Charge.objects.first().pk
    with connection.cursor() as cursor:
        # As a superuser would.
        cursor.execute("ALTER TABLE keys_charge_2026_04 DISABLE TRIGGER ALL")
        cursor.execute("DELETE FROM keys_charge_2026_04 WHERE id = %s", [stolen])
        cursor.execute("ALTER TABLE keys_charge_2026_04 ENABLE TRIGGER ALL")
    assert verify(now=DUE).findings == [f"charge {stolen} is missing."]


def test_who_claims_that_retention_deleted_charges_is_found(session, unguarded):
    spend(session)
    partition()
    seal()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE keys_chargepartition DISABLE TRIGGER ALL")
        cursor.execute(
            "UPDATE keys_chargepartition SET dropped_at = now(),"
            " row_ids = (SELECT range_agg(int8range(id, id, '[]'))::text FROM keys_charge)"
        )
        cursor.execute("ALTER TABLE keys_chargepartition ENABLE TRIGGER ALL")
        cursor.execute("DROP TABLE keys_charge_2026_03")
    [finding] = verify(now=DUE).findings
    assert "was added past the triggers" in finding


def test_what_was_deleted_cannot_be_changed_or_forgotten(session, unguarded):
    spend(session)
    partition()
    keep(13)
    keys.delete_old_charges(now=DUE)
    with pytest.raises(DatabaseError, match="Cannot update"):
        ChargePartition.objects.update(row_ids="{}")


def test_adjustments_of_deleted_charges_stay_and_no_new_ones_come(session, unguarded):
    spend(session)
    charge = Charge.objects.first()
    adjust(charge, 350)
    partition()
    keep(13)
    keys.delete_old_charges(now=DUE)
    assert Adjustment.objects.count() == 1
    with pytest.raises(ChargeNotFound):
        adjust(charge, 300, now=DUE)
    assert_books_balance()


def test_a_month_with_kept_prompts_or_not_closed_is_kept_and_people_hear_why(session):
    spend(session)
    exchanges.retain(3650)
    exchanges.keep(Charge.objects.first(), days=3650)
    partition()
    keep(13)
    assert keys.delete_old_charges(now=DUE) == 0
    alert = Alert.objects.get(kind="charges_not_deleted")
    assert "prompts and answers of 1 call" in alert.detail
    assert "settled in March 2026, and months are not closed" in alert.detail
    assert Charge.objects.count() == 3
    keep(None)
    keys.delete_old_charges(now=DUE)
    alert.refresh_from_db()
    assert alert.is_resolved


def test_to_keep_charges_for_less_long_needs_a_second_person(session, unguarded):
    spend(session)
    partition()
    approval = keys.propose_retention(months=13, reason="storage", actor=ACTOR, now=DUE)
    assert "3 charges of allocations from March 2026 to March 2026" in approval.effect
    assert organisation().charges_kept_months is None
    assert keys.delete_old_charges(now=DUE) == 0
    security.approve(approval.pk, actor=GRACE, now=NOON)
    assert organisation().charges_kept_months == 13


def test_to_keep_them_for_longer_counts_at_once(session):
    keep(13)
    assert keys.propose_retention(months=24, reason="audit", actor=ACTOR, now=NOON) is None
    assert organisation().charges_kept_months == 24
    assert keys.propose_retention(months=None, reason="audit", actor=ACTOR, now=NOON) is None
    assert organisation().charges_kept_months is None


def test_an_approval_of_what_changed_since_is_outdated(session):
    approval = keys.propose_retention(months=24, reason="storage", actor=ACTOR, now=NOON)
    keep(36)
    with pytest.raises(ApprovalOutdated):
        security.approve(approval.pk, actor=GRACE, now=NOON)
    assert Approval.objects.get(pk=approval.pk).status == "asked"


@pytest.mark.parametrize(
    ("months", "reason"), [(12, "storage"), (0, "storage"), (-1, "storage"), (24, " "), (None, "x")]
)
def test_a_wrong_retention_is_refused(people, months, reason):
    with pytest.raises(WrongValue):
        keys.propose_retention(months=months, reason=reason, actor=ACTOR, now=NOON)


def test_a_month_whose_calls_were_all_released_is_deleted_too(session, unguarded):
    keys.release(charge=hold(session, 500), now=NOON)
    complete(session)
    partition()
    keep(13)
    assert keys.delete_old_charges(now=DUE) == 1
    assert_books_balance()
