"""Credit that expires is used first, what ends first at first, and its rest is posted."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from alerts.models import Alert
from tests.keys.builders import PAID, add_key, allocate, report
from tests.moments import NOON
from tests.treasury.builders import broken
from tests.treasury.purchases import (
    FINN,
    SIMULATED_CREDIT,
    add_payee,
    fund,
    make_decider,
    set_policy,
)
from tests.treasury.simulator import simulator
from treasury import jobs
from treasury import services as treasury
from treasury.models import Account, ExpiringCredit
from treasury.queries import effective_credit
from treasury.queries.balances_of_credit import whole_credit
from treasury.refusals import WrongExpiringCredit

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def office(settings, people):
    with simulator() as server:
        settings.SIMULATOR_URL = server.url
        make_decider()
        add_payee()
        yield server


def credit():
    return Account.objects.get(name=SIMULATED_CREDIT)


def expiring(amount, *, days=10, is_granted=True, reference="grant", now=NOON):
    return treasury.record_expiring_credit(
        credit().pk,
        Decimal(amount),
        expires_at=now + days * DAY,
        is_granted=is_granted,
        reference=reference,
        actor=FINN,
        now=now,
    )[0].account


def spend(tokens, *, session=None, now=NOON):
    """0.003 USD for a thousand tokens."""
    if not Account.objects.filter(name="expense:research").exists():
        add_key("openai-1", rates=PAID, provider="openai")
    report(allocate(tokens=tokens, now=now), tokens, now=now)
    return treasury.post_consumption(credit(), now=now)


def balance(account):
    return Account.objects.get(pk=account.pk).balance


def test_what_ends_first_pays_first_and_then_the_rest():
    fund("1.00", SIMULATED_CREDIT)
    late, soon = expiring("0.20", days=20), expiring("0.10", days=5, reference="other")
    assert (credit().balance, whole_credit(credit())) == (1, Decimal("1.30"))
    spend(40_000)  # 0.12
    assert (balance(soon), balance(late), credit().balance) == (0, Decimal("0.18"), 1)
    spend(80_000)  # 0.24
    assert (balance(late), credit().balance) == (0, Decimal("0.94"))
    assert treasury.post_consumption(credit(), now=NOON) == 0
    assert broken() == []


def test_what_is_left_expires_once_with_what_was_used_before_taken_off():
    account = expiring("0.50", days=5)
    row = ExpiringCredit.objects.get()
    spend(40_000)
    assert not treasury.expire_credit(row.pk, now=NOON + 4 * DAY)
    assert treasury.expire_credit(row.pk, now=NOON + 5 * DAY)
    assert not treasury.expire_credit(row.pk, now=NOON + 6 * DAY)
    assert balance(account) == 0
    assert Account.objects.get(name="play-expired:usd").balance == Decimal("0.38")
    # What is used after its end is paid from the rest.
    spend(10_000, now=NOON + 5 * DAY)
    assert credit().balance == Decimal("-0.03")
    assert broken() == []


def test_credit_that_was_bought_leaves_the_credit_without_an_end():
    fund("5.00", SIMULATED_CREDIT)
    expiring("4.00", is_granted=False)
    assert (credit().balance, whole_credit(credit())) == (1, 5)
    with pytest.raises(WrongExpiringCredit, match="Only 1"):
        expiring("2.00", is_granted=False, reference="more")


def test_a_policy_counts_what_expires():
    policy = set_policy()
    expiring("150.00")
    assert effective_credit(policy) == 150


def test_the_same_reference_is_the_same_credit():
    assert expiring("1.00") == expiring("1.00")
    with pytest.raises(WrongExpiringCredit, match="another amount"):
        expiring("2.00")
    assert whole_credit(credit()) == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"amount": "0"}, "more than 0"),
        ({"amount": "NaN"}, "more than 0"),
        ({"amount": "0.0000000001"}, "decimal places"),
        ({"days": 0}, "in the future"),
        ({"reference": " "}, "names it"),
    ],
)
def test_what_cannot_be_right_is_refused(changes, sentence):
    with pytest.raises(WrongExpiringCredit, match=sentence):
        expiring(**({"amount": "1.00"} | changes))


def test_people_are_told_of_what_will_not_be_used_in_time():
    expiring("60.00", days=40)
    treasury.watch_credit(credit().pk, now=NOON)
    assert not Alert.objects.exists()
    treasury.watch_credit(credit().pk, now=NOON + 15 * DAY)
    alert = Alert.objects.unresolved().get()
    assert (alert.kind, "$60" in alert.title) == ("credit_expires", True)
    treasury.expire_credit(ExpiringCredit.objects.get().pk, now=NOON + 40 * DAY)
    assert not Alert.objects.unresolved().exists()


def test_the_job_ends_what_has_come_to_its_end():
    now = timezone.now()
    expiring("1.00", days=1, now=now - 2 * DAY)
    assert jobs.watch_credit() == 1
    assert jobs.watch_credit() == 0
    assert Account.objects.get(name="play-expired:usd").balance == 1
