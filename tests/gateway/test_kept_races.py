"""Retention changes while exchanges are kept: none is missed."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction

from gateway import exchange_bodies, services
from gateway.models import Exchange
from gateway.services import retention_lock
from keys.models import CostCentre
from tests.gateway.exchanges import call, keep, readable, retain
from tests.keys.builders import add_key, make_people
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def charge():
    """A call of ada's, of a cost centre whose exchanges are kept."""
    make_people()
    add_key("nvidia-1")
    retain(30)
    return call()


def start_and_wait_for_lock(work):
    """Start `work` in a thread of its own; return when it waits for somebody's lock."""

    def run():
        try:
            work()
        finally:
            connection.close()

    threads = ThreadPoolExecutor(1)
    running = threads.submit(run)
    threads.shutdown(wait=False)
    deadline = time.monotonic() + 20
    while not _somebody_waits():
        assert not running.done(), f"It did not wait: {running.exception()}"
        assert time.monotonic() < deadline
    return running


def _somebody_waits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone()[0]


def test_what_is_kept_while_it_is_switched_off_is_not_kept(charge):
    with transaction.atomic():
        retain(0)
        keeping = start_and_wait_for_lock(lambda: keep(charge))
    keeping.result(timeout=20)
    assert not Exchange.objects.exists()


def test_what_was_being_kept_when_it_is_switched_off_expires(charge):
    with transaction.atomic():
        retention_lock.share()
        row = Exchange(
            pk=charge.pk,
            cost_centre=CostCentre.objects.get(pk="research"),
            status=200,
            complete=True,
            created_at=NOON,
            expires_at=NOON + timedelta(days=30),
        )
        exchange_bodies.fill(row, request=b"{}", answer=b"{}")
        row.save()
        switching_off = start_and_wait_for_lock(lambda: retain(0))
    switching_off.result(timeout=20)
    assert not readable(charge)


def test_keepers_do_not_wait_for_each_other_and_one_exchange_stays(charge, at_once):
    with transaction.atomic():
        retention_lock.share()
        assert at_once(lambda _: keep(charge), times=10) == [None] * 10
    assert Exchange.objects.count() == 1


def test_two_sweeps_at_once_forget_each_exchange_once(charge, at_once):
    for _ in range(20):
        keep(call())
    later = NOON + timedelta(days=30)
    counts = at_once(lambda _: services.forget_expired(now=later, batch=3), times=4)
    assert sum(counts) == 20
    assert not Exchange.objects.exists()


def test_a_sweep_waits_for_nobody(charge):
    keep(charge)
    keep(call())
    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        Exchange.objects.select_for_update().get(pk=charge.pk)
        sweeping = threads.submit(_swept)
        assert sweeping.result(timeout=20) == 1
    assert [row.pk for row in Exchange.objects.all()] == [charge.pk]


def _swept():
    try:
        return services.forget_expired(now=NOON + timedelta(days=30))
    finally:
        connection.close()
