"""A payment to a service is signed once, by programs at once and by one that is killed."""

import os
import signal
from collections.abc import Callable

import pytest
from django.db import connection

from tests.keys.builders import make_people
from tests.moments import NOON
from tests.threads import refused
from tests.treasury.builders import available, balances, broken
from tests.treasury.purchases import FINN
from tests.treasury.x402 import RAIL, asked, make_wallet, receipt
from treasury import refusals
from treasury import services as treasury
from treasury.models import Transfer, X402Payment
from treasury.services import x402_payments

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("races")]


@pytest.fixture(autouse=True)
def office():
    make_people()
    make_wallet()
    yield
    assert broken() == []


def pay(key: str = "k-1") -> X402Payment:
    return treasury.sign_payment("ada", asked(), idempotency_key=key, actor=FINN, now=NOON)[0]


def settle(payment: X402Payment) -> X402Payment:
    return treasury.settle_payment(payment.pk, receipt(), agent="ada", actor=FINN, now=NOON)


def test_replicas_that_are_asked_at_once_sign_once(at_once):
    answers = at_once(lambda number: pay().header, times=8)
    assert len(set(answers)) == 1 == X402Payment.objects.count()
    payment = X402Payment.objects.get()
    assert payment.header == answers[0]
    at_once(lambda number: settle(payment).status, times=4)
    assert Transfer.objects.filter(pending_of=payment.pending).count() == 1
    assert balances(RAIL)[0] == 1 - payment.amount


def test_other_payments_at_once_stay_within_the_allowance(at_once):
    # 0.01 each, of 0.05 a day.
    answers = at_once(lambda number: pay(f"k-{number}").amount, times=8)
    assert refused(answers, refusals.PaymentLimitReached) == 3
    assert X402Payment.objects.count() == 5


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def and_then_kill(work: Callable) -> Callable:
    def killed(*args, **kwargs):
        work(*args, **kwargs)
        kill()

    return killed


def in_a_program_that_is_killed(work: Callable[[], object]) -> None:
    """Run it in a child, which must die by kill -9."""
    child = os.fork()
    if child == 0:
        # The parent's connection stays the parent's: it is neither used nor closed here.
        kept = connection.connection
        connection.connection = None
        try:
            work()
        finally:
            os._exit(3 if kept else 4)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("after", ["_signature", "begin_pending", "_record"])
def test_a_program_that_is_killed_before_the_payment_is_stored_leaves_nothing(monkeypatch, after):
    """A signature that nobody has seen pays nothing: the next one is the only one."""
    with monkeypatch.context() as patched:
        patched.setattr(x402_payments, after, and_then_kill(getattr(x402_payments, after)))
        in_a_program_that_is_killed(pay)
    assert not X402Payment.objects.exists() and available(RAIL) == 1
    first = pay()
    assert pay().header == first.header and X402Payment.objects.count() == 1


def test_a_program_that_is_killed_before_it_answers_is_replayed_byte_for_byte():
    in_a_program_that_is_killed(and_then_kill(pay))
    stored = X402Payment.objects.get()
    again = pay()
    assert (again.header, again.nonce) == (stored.header, stored.nonce)
    assert available(RAIL) == 1 - stored.amount


def test_a_program_that_is_killed_while_it_settles_is_made_up_for_by_the_same_receipt(monkeypatch):
    payment = pay()
    with monkeypatch.context() as patched:
        post = x402_payments.post_pending
        patched.setattr(x402_payments, "post_pending", and_then_kill(post))
        in_a_program_that_is_killed(lambda: settle(payment))
    assert X402Payment.objects.get().status == "signed"
    for _ in range(2):
        assert settle(payment).status == "settled"
    assert balances(RAIL) == (1 - payment.amount, 1 - payment.amount)
