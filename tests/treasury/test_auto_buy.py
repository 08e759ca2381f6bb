"""Butler buys credit by itself: when, how much, and when not."""

from datetime import datetime, time, timedelta
from decimal import Decimal

import pytest

from tests.keys.builders import PAID, add_key, allocate, make_people, report
from tests.moments import NOON
from tests.threads import refused
from tests.treasury.builders import broken, entry, open_account, transfer
from tests.treasury.purchases import (
    FINN,
    SIMULATED_CREDIT,
    add_payee,
    carry_on,
    fund,
    make_decider,
    propose,
    set_policy,
)
from tests.treasury.simulator import simulator
from treasury import services as treasury
from treasury.auto_buy import is_quiet
from treasury.models import Purchase, PurchasePolicy
from treasury.queries import dry_run, effective_credit, runway

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
USED = "expense:research"


@pytest.fixture
def vendor(settings):
    with simulator() as server:
        settings.SIMULATOR_URL = server.url
        yield server


@pytest.fixture(autouse=True)
def office(vendor):
    """Ninety of credit, which is below the threshold of a hundred."""
    make_decider()
    add_payee()
    set_policy()
    fund("1000.00")
    fund("90.00", SIMULATED_CREDIT)
    yield
    assert broken() == []


def buy(*, now=NOON):
    """What the policy decides now; what it buys is carried on."""
    decision, purchase = treasury.buy_credit(PurchasePolicy.objects.get().pk, now=now)
    if purchase:
        carry_on(purchase, now=now)
    return decision


def use(amount):
    """Consume credit."""
    open_account(USED)
    transfer(entry(USED, SIMULATED_CREDIT, amount, kind="consumption"))


def test_it_buys_up_to_the_target_once_within_the_bound_of_a_purchase():
    assert buy().amount == 200
    assert effective_credit(PurchasePolicy.objects.get()) == 290
    assert buy().why == "There is enough credit."


def test_fractions_of_a_cent_are_rounded_up_to_what_the_rail_moves():
    set_policy(target=Decimal(150))
    use("0.000000001")
    assert buy().amount == Decimal("60.01")


def test_what_is_open_counts(vendor):
    vendor.faults.plan({"kind": "action"})
    buy()
    assert Purchase.objects.get().status == "needs_person"
    assert [buy(now=NOON + hours * HOUR).amount for hours in (1, 9, 99)] == [0, 0, 0]


def test_the_cool_off_is_spent_by_a_purchase_that_succeeds_too():
    buy()
    use(250)
    assert buy(now=NOON + 59 * HOUR / 60).why.startswith("The last attempt was a short time ago")
    assert buy(now=NOON + HOUR).amount == 200


def test_after_a_decline_it_waits_twice_as_long_and_stops_in_the_end(vendor):
    vendor.faults.plan({"kind": "decline", "times": 9})
    bought = []
    for hour in range(400):
        if buy(now=NOON + hour * HOUR).amount:
            bought.append(hour)
    assert bought == [0, 2, 6, 14]
    assert buy(now=NOON + 400 * HOUR).why.startswith("The policy is paused")


def test_what_leaves_it_below_the_threshold_is_followed_by_another():
    """A purchase that a bound made small does not disarm the policy for ever."""
    set_policy(per_purchase_max=Decimal(5))
    assert [buy(now=NOON + hour * HOUR).amount for hour in range(4)] == [5, 5, 0, 0]


def test_bounds_of_the_day_hold_until_the_next_one():
    set_policy(daily_max=Decimal(250))
    buy()
    use(280)
    assert buy(now=NOON + HOUR).amount == 50
    use(50)
    decision = buy(now=NOON + 5 * HOUR)
    assert (decision.amount, decision.why) == (0, "No more is allowed today.")
    assert buy(now=NOON + 12 * HOUR).amount == 200


def test_only_people_buy_if_the_policy_says_so():
    set_policy(is_automatic=False)
    assert buy().amount == 0
    assert carry_on(propose()).status == "credited"


def test_above_an_amount_it_waits_for_a_person():
    set_policy(approval_above=Decimal(150))
    buy()
    assert Purchase.objects.get().status == "proposed"
    assert buy(now=NOON + HOUR).amount == 0


def test_who_has_proposed_by_hand_is_not_doubled():
    propose("200.00")
    assert buy().why == "There is enough credit."


@pytest.mark.parametrize(
    ("begins", "ends", "hour", "is_in"),
    [
        (22, 6, 23, True),
        (22, 6, 5, True),
        (22, 6, 6, False),
        (22, 6, 12, False),
        (8, 12, 8, True),
        (8, 12, 12, False),
    ],
)
def test_quiet_hours(begins, ends, hour, is_in):
    policy = PurchasePolicy(quiet_from=time(begins), quiet_until=time(ends), zone="Europe/Berlin")
    summer = datetime.fromisoformat(f"2026-07-01T{hour:02}:00+02:00")
    assert is_quiet(policy, summer) == is_in


def test_it_buys_nothing_in_quiet_hours():
    set_policy(quiet_from=time(11), quiet_until=time(13))
    assert buy().amount == 0
    assert buy(now=NOON + HOUR).amount == 200


def test_a_paused_policy_buys_nothing():
    treasury.pause_policy(PurchasePolicy.objects.get().pk, reason="x", actor=FINN, now=NOON)
    assert buy().amount == 0


def test_a_dry_run_says_what_it_would_have_bought():
    make_people()
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    for hour in range(48):
        now = NOON + hour * HOUR
        report(allocate(tokens=9_000_000, now=now), 8_000_000, now=now)
    policy = PurchasePolicy.objects.get()
    tried = dry_run(policy, since=NOON, until=NOON + 2 * DAY)
    assert tried.consumed > 0
    bought = sum(each.amount for each in tried.purchases)
    assert all(each.credit < policy.threshold for each in tried.purchases)
    assert tried.lowest <= policy.target
    assert bought <= 3 * policy.daily_max
    assert Purchase.objects.count() == 0
    lasts = runway(policy.credit_account, now=NOON + 2 * DAY)
    assert lasts.per_day == tried.consumed / 7
    assert lasts.least <= lasts.days


@pytest.mark.django_db(transaction=True)
def test_many_that_decide_at_once_buy_once(at_once):
    policy_id = PurchasePolicy.objects.get().pk
    answers = at_once(lambda _: treasury.buy_credit(policy_id, now=NOON), times=8)
    assert refused(answers) == 0
    assert sum(decision.amount for decision, _ in answers) == 200
