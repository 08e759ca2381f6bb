"""A process that is stopped while its transaction has locks holds nobody up for long."""

import os
import signal
import traceback
from unittest.mock import patch

import pytest
from django.db import connection, connections

from common.database_retry import reconnecting
from keys.books.services import after_settlement
from keys.database import SETTINGS_FOR_CALLS, plan_for_calls
from keys.models import Allocation
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, hold, settle

pytestmark = pytest.mark.django_db(transaction=True)
# As the settings say, but soon.
SOON = {"transaction_timeout": "1s", "idle_in_transaction_session_timeout": "1s"}


@pytest.fixture
def in_process():
    """Runs work in a process of its own, whose id it returns; none is left at the end."""
    started = []

    def fork(work):
        connections.close_all()
        if pid := os.fork():
            started.append(pid)
            return pid
        try:
            work()
        except BaseException:  # noqa: BLE001 - it must not go on with the tests
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    yield fork
    for pid in started:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            continue


def settle_and_stop(charge):
    """Settle as the gateway's threads do, stopped once in the middle."""
    follow, stops = after_settlement.follow, [signal.SIGSTOP]

    def stopped(spent, *, at):
        if stops:
            os.kill(os.getpid(), stops.pop())
        return follow(spent, at=at)

    def work():
        plan_for_calls()
        settle(charge, 19_500)

    with (
        patch.dict(SETTINGS_FOR_CALLS, SOON),
        patch.object(after_settlement, "follow", stopped),
    ):
        reconnecting(work)


def test_others_settle_while_a_process_is_stopped_and_it_settles_when_it_goes_on(
    people, in_process
):
    add_key("nvidia-1")
    allocation = allocate(tokens=24_000, auto_rotate=False)
    # It crosses a threshold, so that it takes the way of the services: several round trips.
    its_charge, another = hold(allocation, 20_000), hold(allocation, 1_000)
    pid = in_process(lambda: settle_and_stop(its_charge))
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    with connection.cursor() as cursor:
        # Instead of for ever, if it holds the locks.
        cursor.execute("SET statement_timeout = '30s'")
    settle(another, 700)
    assert Allocation.objects.get().used == 700
    os.kill(pid, signal.SIGCONT)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert Allocation.objects.get().used == 20_200
    assert_books_balance()
    connection.close()
