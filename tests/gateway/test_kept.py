"""Prompts and answers are kept where finance says so, sealed, and not a day longer."""

import zlib
from datetime import timedelta

import pgtrigger
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from gateway import queries, services
from gateway.models import DAYS_MAX, Exchange, Retention
from keys.models import Charge
from security import services as security
from security import vault
from tests.gateway.exchanges import ANSWER, GRACE, REQUEST, call, keep, readable, retain
from tests.keys.builders import add_key
from tests.moments import NOON

pytestmark = pytest.mark.django_db
ADA = ["agent:ada", "centre:org", "centre:research"]
CAROL = ["agent:carol", "centre:org", "centre:sales"]


@pytest.fixture
def key(people):
    """The key that is lent."""
    return add_key("nvidia-1")


def test_nothing_is_kept_unless_somebody_said_so(key):
    charge = call()
    assert queries.retention_days(ADA) == 0
    keep(charge)
    assert not Exchange.objects.exists()


def test_what_is_kept_comes_back_byte_for_byte(key):
    retain(30)
    charge = call()
    every_byte = bytes(range(256)) * 40
    keep(charge, request=every_byte, answer=b"", status=418, media_type="text/event-stream")
    kept = queries.exchange_of(charge.pk, now=NOON)
    assert (kept.request, kept.answer) == (every_byte, b"")
    assert (kept.status, kept.media_type, kept.complete) == (418, "text/event-stream", True)
    row = Exchange.objects.get()
    assert (row.request_bytes, row.answer_bytes, row.cost_centre_id) == (10240, 0, "research")


def test_a_body_of_many_megabytes_is_kept(key):
    retain(1)
    charge = call()
    large = REQUEST * (32 * 1024 * 1024 // len(REQUEST))
    keep(charge, request=large)
    assert queries.exchange_of(charge.pk, now=NOON).request == large


def test_the_nearest_cost_centre_that_says_a_number_holds(key):
    retain(90, "org")
    assert (queries.retention_days(ADA), queries.retention_days(CAROL)) == (90, 90)
    retain(7, "research")
    assert (queries.retention_days(ADA), queries.retention_days(CAROL)) == (7, 90)
    retain(0, "research")
    assert (queries.retention_days(ADA), queries.retention_days(CAROL)) == (0, 90)
    retain(None, "research")
    assert queries.retention_days(ADA) == 90


def test_retention_is_asked_by_one_query(key, django_assert_num_queries):
    retain(7)
    with django_assert_num_queries(1):
        assert queries.retention_days(ADA) == 7


def test_a_child_switched_off_keeps_nothing_and_its_sibling_does(key):
    retain(90, "org")
    retain(0, "research")
    keep(call("ada"), days=90)
    of_carol = call("carol")
    keep(of_carol, days=90)
    assert [row.pk for row in Exchange.objects.all()] == [of_carol.pk]


def test_a_gateway_that_knows_of_old_days_only_keeps_for_the_new_ones(key):
    retain(2)
    charge = call()
    keep(charge, days=30)
    assert readable(charge, after_days=1)
    assert not readable(charge, after_days=2)


def test_a_change_notes_who_and_why_and_the_same_twice_is_one(key):
    retain(30)
    retain(30)
    retain(5, now=NOON + timedelta(hours=1))
    newest, oldest = queries.retention_changes("research", most=20)
    assert (oldest.before, oldest.after) == ({"days": None}, {"days": 30})
    assert (newest.before, newest.after) == ({"days": 30}, {"days": 5})
    assert {(each.actor, each.actor_kind, each.reason) for each in (newest, oldest)} == {
        ("grace", "person", "audit")
    }
    row = Retention.objects.get()
    assert (row.days, row.changed_by, row.reason) == (5, "grace", "audit")
    assert row.changed_at == NOON + timedelta(hours=1)


def test_days_beyond_ten_years_or_below_none_are_refused_by_the_database(key):
    for days in (DAYS_MAX + 1, -1):
        with pytest.raises(IntegrityError), transaction.atomic():
            retain(days)
    assert not Retention.objects.exists()


def test_bodies_rest_sealed(key):
    retain(30)
    keep(call(), request=b"canary-prompt-5d1e", answer=b"canary-answer-77a0")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM gateway_exchange")
        (row,) = cursor.fetchall()
    raw = b"".join(bytes(value) for value in row if isinstance(value, bytes | memoryview))
    assert len(raw) > 100
    assert b"canary" not in raw
    # What is short is stored as it is by deflate; what is compressed is no secret either.
    assert zlib.compress(b"canary-answer-77a0", 1) not in raw


def test_the_contents_do_not_show_themselves_in_logs(key):
    retain(30)
    charge = call()
    keep(charge)
    shown = (
        f"{queries.exchange_of(charge.pk, now=NOON)!r}{queries.kept_answer(charge.pk, now=NOON)!r}"
    )
    assert "canary" not in shown


def test_contents_moved_to_another_column_or_call_do_not_unseal(key):
    retain(30)
    first, second = call(), call("bob")
    keep(first)
    keep(second)
    row = Exchange.objects.get(pk=first.pk)
    with pgtrigger.ignore("gateway.Exchange:exchange_keeps_its_contents"):
        Exchange.objects.filter(pk=second.pk).update(request=row.request)
        Exchange.objects.filter(pk=first.pk).update(request=row.answer)
    for charge in (first, second):
        with pytest.raises(vault.CannotUnseal, match=f"gateway.exchange.request:{charge.pk}"):
            queries.exchange_of(charge.pk, now=NOON)
        assert queries.kept_answer(charge.pk, now=NOON).body == ANSWER
    Exchange.objects.filter(pk=second.pk).update(content_key=row.content_key)
    with pytest.raises(vault.CannotUnseal, match="gateway.exchange.content_key"):
        queries.kept_answer(second.pk, now=NOON)


def test_contents_are_read_after_the_vault_was_rekeyed(key):
    retain(30)
    charge = call()
    keep(charge)
    before = Exchange.objects.get()
    result = security.rekey_vault(actor=GRACE, now=NOON)
    after = Exchange.objects.get()
    assert vault.key_id_of(bytes(after.content_key)) == result.key_id
    assert bytes(after.request) == bytes(before.request)
    assert queries.exchange_of(charge.pk, now=NOON).answer == ANSWER


def test_keeping_twice_is_once_and_the_first_stays(key):
    retain(30)
    charge = call()
    keep(charge)
    keep(charge, answer=b"another", now=NOON + timedelta(days=1))
    assert Exchange.objects.get().created_at == NOON
    assert queries.exchange_of(charge.pk, now=NOON).answer == ANSWER


def test_a_whole_answer_is_given_again_and_a_cut_one_is_not(key):
    retain(30)
    whole, cut = call(), call()
    keep(whole, status=201)
    keep(cut, complete=False)
    again = queries.kept_answer(whole.pk, now=NOON)
    assert (again.status, again.media_type, again.body) == (201, "application/json", ANSWER)
    assert queries.kept_answer(cut.pk, now=NOON) is None
    assert queries.exchange_of(cut.pk, now=NOON).complete is False
    assert queries.kept_answer(whole.pk, now=NOON + timedelta(days=30)) is None
    assert queries.kept_answer(call().pk, now=NOON) is None


def test_what_expired_is_not_read_even_before_it_is_deleted(key):
    retain(30)
    charge = call()
    keep(charge)
    assert readable(charge, after_days=29)
    assert not readable(charge, after_days=30)
    assert Exchange.objects.exists()


def test_the_sweep_forgets_in_batches_what_expired_and_twice_is_once(key):
    retain(30)
    old, new = [call() for _ in range(5)], call()
    for charge in old:
        keep(charge, days=10)
    keep(new, days=11)
    later = NOON + timedelta(days=10)
    assert services.forget_expired(now=later - timedelta(seconds=1)) == 0
    assert services.forget_expired(now=later, batch=2) == 5
    assert services.forget_expired(now=later, batch=2) == 0
    assert [row.pk for row in Exchange.objects.all()] == [new.pk]
    assert Charge.objects.count() == 6, "the books stay"


def test_the_sweep_does_not_read_what_it_deletes(key, django_assert_num_queries):
    retain(30)
    keep(call())
    with django_assert_num_queries(6) as asked:
        services.forget_expired(now=NOON + timedelta(days=30))
    assert not any('"request"' in query["sql"] for query in asked)


def test_fewer_days_forget_earlier_and_more_days_bring_nothing_back(key):
    retain(30)
    charge = call()
    keep(charge)
    retain(5)
    assert readable(charge, after_days=4)
    assert not readable(charge, after_days=5)
    retain(3650)
    assert not readable(charge, after_days=5)
    assert services.forget_expired(now=NOON + timedelta(days=5)) == 1


def test_switching_off_above_forgets_below_at_once_but_not_where_another_number_holds(key):
    retain(30, "org")
    retain(30, "sales")
    of_ada, of_carol = call("ada"), call("carol")
    keep(of_ada)
    keep(of_carol)
    retain(0, "org")
    assert not readable(of_ada)
    assert readable(of_carol, after_days=29)
    retain(None, "sales")
    assert not readable(of_carol)


def test_the_database_refuses_to_change_prolong_or_delete_what_is_kept(key):
    # Ten years: it must not have expired by the database's own clock.
    retain(DAYS_MAX)
    keep(call(), days=DAYS_MAX)
    rows = Exchange.objects.all()
    for changes in (
        {"request": b"another"},
        {"answer": b"another"},
        {"cost_centre": "sales"},
        {"complete": False},
        {"created_at": NOON - timedelta(days=1)},
        {"expires_at": NOON + timedelta(days=DAYS_MAX + 1)},
    ):
        with pytest.raises(DatabaseError, match="pgtrigger: Cannot"), transaction.atomic():
            rows.update(**changes)
    with pytest.raises(DatabaseError, match="pgtrigger: Cannot"), transaction.atomic():
        rows.delete()
    assert rows.count() == 1


def test_looking_is_noted_and_outlives_what_was_looked_at(key):
    retain(1)
    charge = call()
    keep(charge)
    assert services.look_at_exchange(charge.pk, actor=GRACE, now=NOON).request == REQUEST
    later = NOON + timedelta(days=1)
    assert services.look_at_exchange(charge.pk, actor=GRACE, now=later) is None
    services.forget_expired(now=later)
    (look,) = queries.looks_at(charge.pk, most=20)
    assert (look.actor, look.at, look.action) == ("grace", NOON, "exchange.look")
    assert look.subjects == [
        f"exchange:{charge.pk}",
        "centre:research",
        "agent:ada",
        f"session:{charge.allocation.session_id}",
    ]
    with pytest.raises(DatabaseError, match="pgtrigger: Cannot"), transaction.atomic():
        look.delete()
