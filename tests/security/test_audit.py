"""The audit: written with its change or not at all, never changed, and no writer waits."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError

from security import audit
from security.actor import Actor, ActorKind
from security.audit_actions import Action
from security.models import AuditEntry

GRACE = Actor.person("grace", address="192.0.2.7", request_id="req-1")


def record(at, **changes):
    """An entry of grace's; `changes` replace its values."""
    values = {"actor": GRACE, "action": Action.VAULT_REKEY, "subject": "key:nvidia-1"}
    return audit.record(**values | {"at": at} | changes)


def stored(entry):
    """The row without its number, as the database has it."""
    row = AuditEntry.objects.filter(pk=entry.pk).values().get()
    return {name: value for name, value in row.items() if name != "id"}


def test_an_entry_says_who_did_what_to_what_and_why(db, noon):
    entry = record(
        noon,
        related=["agent:ada", "session:ses-1"],
        before={"amount": Decimal("1.50"), "until": noon},
        after={"amount": None},
        reason="A test.",
    )
    assert stored(entry) == {
        "at": noon,
        "actor_name": "grace",
        "actor_kind": "person",
        "address": "192.0.2.7",
        "request_id": "req-1",
        "action": "vault.rekey",
        "subjects": ["key:nvidia-1", "agent:ada", "session:ses-1"],
        "before": {"amount": "1.50", "until": "2026-03-10T12:00:00Z"},
        "after": {"amount": None},
        "reason": "A test.",
    }
    assert (entry.subject, entry.actor) == ("key:nvidia-1", "grace")


def test_an_entry_is_found_by_everything_it_is_about(db, noon):
    entry = record(noon, related=["agent:ada"])
    record(noon, subject="key:nvidia-10")
    assert list(AuditEntry.objects.about("key:nvidia-1")) == [entry]
    assert list(AuditEntry.objects.about("agent:ada")) == [entry]
    assert not AuditEntry.objects.about("agent:bob").exists()


def test_the_newest_entry_comes_first(db, noon):
    older = record(noon)
    newer = record(noon + timedelta(seconds=1))
    last = record(noon + timedelta(seconds=1))
    assert list(AuditEntry.objects.all()) == [last, newer, older]


def test_an_agent_is_shown_as_an_agent(db, noon):
    assert record(noon, actor=Actor.agent("ada")).actor == "agent:ada"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE security_auditentry SET reason = 'another'",
        "DELETE FROM security_auditentry",
    ],
)
def test_the_database_refuses_to_change_or_delete_an_entry(db, noon, statement):
    entry = record(noon)
    with (
        pytest.raises(DatabaseError, match="Cannot update or delete"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert stored(entry)["reason"] == ""


@pytest.mark.parametrize("write", [audit.record_many, audit.copy_many])
@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"subjects": []}, "auditentry_has_a_subject"),
        ({"actor_kind": "ghost"}, "auditentry_kind_of_actor_is_known"),
    ],
)
def test_the_database_refuses_an_entry_that_says_too_little(db, noon, columns, constraint, write):
    entry = audit.entry(actor=GRACE, action=Action.VAULT_REKEY, subject="vault:keys", at=noon)
    for name, value in columns.items():
        setattr(entry, name, value)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        write([entry])


@pytest.mark.django_db(transaction=True)
def test_an_entry_is_rolled_back_with_its_change(noon):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record(noon)
        raise ZeroDivisionError
    assert not AuditEntry.objects.exists()
    with transaction.atomic():
        record(noon)
    assert AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_entry_is_refused_outside_a_transaction(noon):
    entry = audit.entry(actor=GRACE, action=Action.VAULT_REKEY, subject="vault:keys", at=noon)
    with pytest.raises(TransactionManagementError):
        record(noon)
    with pytest.raises(TransactionManagementError):
        audit.record_many([entry])
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_writer_does_not_wait_for_another_that_has_not_committed(noon):
    def write_and_commit():
        try:
            with transaction.atomic():
                return record(noon, actor=Actor.agent("ada")).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            first = record(noon).pk
            # Would never return if it waited for the transaction that is open here.
            second = threads.submit(write_and_commit).result(timeout=60)
            assert AuditEntry.objects.filter(pk=second).exists()
        assert set(AuditEntry.objects.values_list("pk", flat=True)) == {first, second}


def test_many_entries_are_written_in_one_statement(db, noon, django_assert_num_queries):
    entries = [
        audit.entry(actor=GRACE, action=Action.VAULT_REKEY, subject=f"key:{number}", at=noon)
        for number in range(3)
    ]
    with django_assert_num_queries(1):
        audit.record_many(entries)
    assert [entry.subject for entry in AuditEntry.objects.order_by("pk")] == [
        "key:0",
        "key:1",
        "key:2",
    ]


def test_very_many_entries_are_copied_with_all_that_they_say(db, noon):
    said = {"reason": "tab\t, line\n, \\N and ü", "before": {"a": [1, None]}, "after": None}
    entries = [
        audit.entry(
            actor=GRACE,
            action=Action.VAULT_REKEY,
            subject=f"key:{n}",
            related=['a"b', ""],
            at=noon,
            **said,
        )
        for n in range(3)
    ]
    written = audit.copy_many(iter(entries))
    assert audit.copy_many([]) == []
    stored = AuditEntry.objects.order_by("pk")
    assert [entry.pk for entry in stored] == [entry.pk for entry in written]
    for number, entry in enumerate(stored):
        assert entry.subjects == [f"key:{number}", 'a"b', ""]
        assert {name: getattr(entry, name) for name in said} == said
        assert (entry.at, entry.actor_name, entry.address) == (noon, "grace", GRACE.address)
    assert record(noon).pk > written[-1].pk


def test_an_action_that_no_app_has_registered_is_refused(db, noon):
    class Unknown(StrEnum):
        GUESS = "vault.guess"

    with pytest.raises(ValueError, match=r"vault\.guess"):
        record(noon, action=Unknown.GUESS)
    assert "vault.rekey" in audit.actions()
    assert "vault.guess" not in audit.actions()


def test_every_action_is_a_noun_and_a_verb():
    assert [action for action in audit.actions() if action.count(".") != 1] == []


def test_the_sql_function_writes_the_same_row_as_python(db, noon):
    by_python = record(
        noon, related=["agent:ada"], before={"a": 1}, after={"a": 2}, reason="A test."
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT security_audit(
                %s, 'grace', 'person', '192.0.2.7', 'req-1', 'vault.rekey',
                ARRAY['key:nvidia-1', 'agent:ada'], '{"a": 1}', '{"a": 2}', 'A test.'
            )
            """,
            [noon],
        )
        by_sql = AuditEntry.objects.get(pk=cursor.fetchone()[0])
    assert by_sql.pk != by_python.pk
    assert stored(by_sql) == stored(by_python)


def test_the_sql_function_needs_neither_values_nor_a_reason(db, noon):
    by_python = record(noon, actor=Actor.job("sweep"))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT security_audit(%s, 'sweep', 'job', '', '', 'vault.rekey', "
            "ARRAY['key:nvidia-1'])",
            [noon],
        )
        by_sql = AuditEntry.objects.get(pk=cursor.fetchone()[0])
    assert stored(by_sql) == stored(by_python)
    assert by_sql.actor_kind == ActorKind.JOB
