"""What calls really used: settled, released, expired, late."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import ProgrammingError
from django.db.transaction import atomic

from alerts.models import Alert
from keys import services as keys
from keys.models import Adjustment, Agent, Allocation, Charge, RateLease, Window
from keys.refusals import AllocationClosed, ChargeEnded, WrongValue
from keys.supply.pricing import Rates
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import (
    PAID,
    add_key,
    allocate,
    complete,
    hold,
    limit,
    report,
    rotate,
    settle,
)
from tests.moments import NOON

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(seconds=settings.HOLD_SECONDS)


def window(scope="key:openai-1", unit="tokens"):
    """(used, committed) of an open window."""
    found = Window.objects.get(scope=scope, unit=unit, closed_at=None)
    return found.used, found.committed


@pytest.fixture
def lent(people):
    """20,000 tokens on a paid key with limits in tokens and USD."""
    limit(add_key("openai-1", rates=PAID), 100, unit="usd", period="month")
    limit(Agent.objects.get(pk="ada"), 100, unit="usd")
    return allocate(tokens=20_000, auto_rotate=False)


def test_a_settled_call_pays_what_it_used_and_gives_back_the_rest(lent):
    charge = hold(lent, 1_000)
    assert settle(charge, 300, output_tokens=100, cached_tokens=100) == 1
    charge.refresh_from_db()
    assert (charge.status, charge.tokens, charge.overrun) == ("settled", 400, False)
    assert charge.cost == Decimal("0.0024")
    lent.refresh_from_db()
    assert (lent.used, lent.held, lent.used_cost) == (400, 0, Decimal("0.0024"))
    assert window() == (400, 19_600)
    assert window(unit="usd") == window("agent:ada", "usd")
    assert window(unit="usd") == (Decimal("0.0024"), Decimal("0.3") - Decimal("0.0024"))
    assert_books_balance()


def test_settling_twice_is_once(lent):
    charge = hold(lent, 1_000)
    assert [settle(charge, 300), settle(charge, 300)] == [1, 0]
    with pytest.raises(ChargeEnded):
        settle(charge, 900)
    assert Allocation.objects.get().used == 300
    assert_books_balance()


def test_a_released_call_used_nothing(lent):
    charge = hold(lent, 1_000)
    assert [keys.release(charge=charge, now=NOON) for _ in range(2)] == [1, 0]
    with pytest.raises(ChargeEnded):
        settle(charge, 300)
    charge.refresh_from_db()
    assert (charge.status, charge.tokens, charge.settled_at) == ("released", 0, None)
    assert window() == (0, 20_000)
    assert_books_balance()


def test_a_hold_that_is_not_settled_in_time_expires_and_its_late_settlement_counts(lent):
    charge = hold(lent, 1_000)
    assert keys.expire_charges(now=LATER - timedelta(seconds=1)) == 0
    assert [keys.expire_charges(now=LATER) for _ in range(2)] == [1, 0]
    assert Allocation.objects.get().held == 0
    assert settle(charge, 700, now=LATER) == 1
    assert Allocation.objects.get().used == 700
    assert window() == (700, 19_300)
    assert_books_balance()


def gateway_hold(lent, tokens=1_000):
    """A hold as the gateway makes it, for a call that it is about to send."""
    wanted = keys.HoldRequest(lent.pk, tokens, tokens, "call", route="/v1/messages")
    (held,) = keys.hold_many([wanted], now=NOON)
    return Charge.objects.get(pk=held.pk)


@pytest.mark.parametrize("end", ["completed", "key off", "later price"])
def test_a_hold_of_a_killed_gateway_is_charged_also_when_its_session_has_ended(lent, end):
    """O56."""
    charge = gateway_hold(lent)
    by = {"actor": ACTOR, "now": NOON}
    if end == "completed":
        keys.complete(allocation_id=lent.pk, **by)
    elif end == "key off":
        keys.set_key_status(lent.api_key_id, status="inactive", reason="off", **by)
    else:
        dear = Rates(input=Decimal(9), output=Decimal(9))
        keys.set_price(lent.api_key_id, rates=dear, reason="dear", **by)
    assert keys.expire_charges(now=LATER) == 1
    charge.refresh_from_db()
    assert (charge.status, charge.basis, charge.tokens) == ("settled", "estimated", 1_000)
    assert charge.cost == charge.held_cost
    assert Alert.objects.filter(kind="hold_charged", session_id=lent.session_id).exists()
    assert_books_balance()


def test_a_hold_of_the_gateway_that_expires_is_charged_in_full_and_alerts(lent):
    charge = gateway_hold(lent)
    assert keys.expire_charges(now=LATER - timedelta(seconds=1)) == 0
    assert [keys.expire_charges(now=LATER) for _ in range(2)] == [1, 0]
    charge.refresh_from_db()
    assert (charge.status, charge.basis, charge.tokens) == ("settled", "estimated", 1_000)
    assert (charge.cost, charge.hold_expired_at) == (charge.held_cost, LATER)
    lent.refresh_from_db()
    assert (lent.used, lent.held, lent.used_cost) == (1_000, 0, charge.cost)
    assert window() == (1_000, 19_000)
    alert = Alert.objects.get()
    assert (alert.kind, alert.session_id) == ("hold_charged", lent.session_id)
    assert alert.facts["charges"] == [charge.pk]
    assert_books_balance()


@pytest.mark.parametrize("tokens", [0, 1, 700, 1_000, 1_500])
def test_a_late_settlement_corrects_what_the_expired_hold_was_charged(lent, tokens):
    charge = gateway_hold(lent)
    keys.expire_charges(now=LATER)
    later = LATER + timedelta(minutes=1)
    assert [settle(charge, tokens, now=later) for _ in range(2)] == [1, 0]
    charge.refresh_from_db()
    assert (charge.status, charge.basis, charge.tokens) == ("settled", "provider", tokens)
    assert (charge.settled_at, charge.hold_expired_at) == (LATER, None)
    assert charge.overrun == (tokens > 1_000)
    assert Allocation.objects.get().used == window()[0] == tokens
    assert_books_balance()


def test_a_late_release_gives_back_what_the_expired_hold_was_charged(lent):
    charge = gateway_hold(lent)
    keys.expire_charges(now=LATER)
    assert [keys.release(charge=charge, now=LATER) for _ in range(2)] == [1, 0]
    charge.refresh_from_db()
    assert (charge.status, charge.tokens, charge.cost) == ("released", 0, 0)
    assert Allocation.objects.get().used == 0
    assert window() == (0, 20_000)
    assert_books_balance()


@pytest.mark.parametrize(("status", "tokens"), [("settled", 10), ("released", 0)])
def test_once_a_window_has_closed_a_late_ending_is_an_adjustment(lent, status, tokens):
    charge = gateway_hold(lent)
    keys.expire_charges(now=LATER)
    tomorrow = NOON + timedelta(days=1)
    keys.open_windows(now=tomorrow)
    ending = keys.Settlement(charge, status, keys.Usage(input_tokens=tokens))
    assert [keys.settle_many([ending, ending], now=tomorrow) for _ in range(2)] == [1, 0]
    assert Charge.objects.get().tokens == 1_000
    assert Adjustment.objects.get().tokens == tokens - 1_000
    assert Allocation.objects.get().used == tokens
    assert_books_balance()


def test_the_last_tokens_of_an_allocation_charged_for_an_expired_hold_close_it(lent):
    charge = gateway_hold(lent, 20_000)
    keys.expire_charges(now=LATER)
    settle(charge, 50, now=LATER)
    lent.refresh_from_db()
    assert (lent.status, lent.used) == ("exhausted", 50)
    assert window() == (50, 0)
    assert_books_balance()


def test_a_hold_of_nothing_that_expires_costs_nothing(lent):
    charge = gateway_hold(lent, 0)
    keys.expire_charges(now=LATER)
    charge.refresh_from_db()
    assert (charge.status, charge.tokens) == ("expired", 0)
    assert not Alert.objects.exists()


def test_a_settled_charge_is_not_corrected(lent):
    charge = gateway_hold(lent)
    settle(charge, 300)
    with pytest.raises(ProgrammingError, match="Cannot update rows"), atomic():
        Charge.objects.update(tokens=1)


def test_more_than_was_held_is_recorded_in_full_and_closes_the_allocation(lent):
    charge = hold(lent, 1_000)
    assert settle(charge, 1_500) == 1
    charge.refresh_from_db()
    assert (charge.tokens, charge.overrun) == (1_500, True)
    lent.refresh_from_db()
    assert (lent.status, lent.status_reason) == ("exhausted", "a call used more than it held")
    assert Alert.objects.get().kind == "overrun"
    assert window() == (1_500, 0)
    assert_books_balance()


def test_more_than_is_left_closes_the_allocation_and_raises_an_alert(lent):
    first, second = hold(lent, 10_000), hold(lent, 10_000)
    settle(first, 21_000)
    lent.refresh_from_db()
    assert (lent.status, lent.overrun, lent.held) == ("exhausted", True, 10_000)
    assert window() == (21_000, 10_000)
    assert Alert.objects.filter(kind="exhausted", severity="critical").count() == 1
    assert_books_balance()
    settle(second, 10_000)
    assert window() == (31_000, 0)
    assert_books_balance()


def test_an_overrun_beside_another_hold_keeps_both_in_the_books(lent):
    first, second = hold(lent, 10_000), hold(lent, 10_000)
    settle(first, 15_000)
    lent.refresh_from_db()
    assert (lent.status, lent.overrun, lent.used + lent.held) == ("exhausted", True, 25_000)
    assert window() == (15_000, 10_000)
    with pytest.raises(AllocationClosed):
        hold(lent, 1)
    assert_books_balance()
    keys.release(charge=second, now=NOON)
    assert window() == (15_000, 0)
    assert_books_balance()


def test_a_call_in_flight_settles_after_its_allocation_was_closed(lent):
    charge = hold(lent, 1_000)
    complete(lent)
    assert window() == (0, 1_000)
    assert settle(charge, 600) == 1
    assert window() == (600, 0)
    assert Allocation.objects.get().status == "completed"
    assert_books_balance()


def test_a_call_in_flight_settles_on_the_key_and_at_the_price_it_was_held_at(lent):
    charge = hold(lent, 1_000)
    add_key("nvidia-1")
    rotate(lent, "nvidia-1")
    assert window() == (0, 1_000)
    assert window("key:nvidia-1") == (0, 20_000)
    settle(charge, 600)
    assert window() == (600, 0)
    assert window("key:nvidia-1") == (0, 19_400)
    # What the call could have cost more stays committed until the allocation is closed.
    assert window("agent:ada", "usd") == (Decimal("0.0018"), Decimal("0.0132"))
    complete(lent)
    assert window("agent:ada", "usd") == (Decimal("0.0018"), 0)
    assert_books_balance()


def test_a_call_settles_in_the_window_of_the_day_it_is_settled(lent):
    charge = hold(lent, 1_000, ttl_seconds=86_400)
    assert settle(charge, 600, now=NOON + timedelta(days=1)) == 1
    assert window() == (600, 19_400)
    assert [w.used for w in Window.objects.exclude(closed_at=None).filter(unit="tokens")] == [0]
    assert_books_balance()


def test_a_batch_ends_what_is_open_and_counts_it(lent):
    charges = [hold(lent, 1_000) for _ in range(4)]
    settle(charges[0], 10)
    endings = [
        keys.Settlement(charge, "settled", keys.Usage(input_tokens=100)) for charge in charges
    ]
    endings[3] = keys.Settlement(charges[3], "released")
    # The same ending twice in one batch is once.
    assert keys.settle_many([*endings, endings[1]], now=NOON) == 3
    assert keys.settle_many([], now=NOON) == 0
    assert Allocation.objects.get().used == 210
    assert sorted(Charge.objects.values_list("status", flat=True)).count("settled") == 3
    assert_books_balance()


def test_a_batch_says_what_came_of_each_ending_in_its_order(lent):
    other = allocate(tokens=5_000, auto_rotate=False)
    gone, kept, foreign = hold(lent, 1_000), hold(lent, 1_000), hold(other, 2_000)
    settle(gone, 10)
    came = keys.end_many(
        [
            keys.Settlement(foreign, "settled", keys.Usage(output_tokens=100)),
            keys.Settlement(gone, "settled", keys.Usage(input_tokens=999)),
            keys.Settlement(kept, "settled", keys.Usage(input_tokens=300)),
            keys.Settlement(kept, "released"),
        ],
        now=NOON,
    )
    assert came == [
        (True, Decimal("0.0015"), 4_900, 100),
        (False, Decimal("0.00003"), 19_690, 310),
        (True, Decimal("0.0009"), 19_690, 310),
        (False, Decimal("0.0009"), 19_690, 310),
    ]
    assert came[0].cost == Charge.objects.get(pk=foreign.pk).cost
    assert keys.end_many([keys.Settlement(kept, "released")], now=NOON) == came[3:]
    assert_books_balance()


def test_nothing_is_left_of_an_allocation_that_an_ending_closed(lent):
    first, second = hold(lent, 1_000), hold(lent, 2_000)
    (came,) = keys.end_many(
        [keys.Settlement(first, "settled", keys.Usage(input_tokens=1_001))], now=NOON
    )
    assert (came.ended, came.left) == (True, 0)
    assert keys.end_many([keys.Settlement(second, "released")], now=NOON)[0].left == 0
    assert keys.end_many([keys.Settlement(first, "released")], now=NOON)[0].left == 0


def test_the_providers_own_cost_is_recorded_beside_the_cost(lent):
    ending = keys.Settlement(
        hold(lent, 1_000),
        "settled",
        keys.Usage(input_tokens=100),
        provider_cost=Decimal("0.000299999"),
        provider_request_id="req_" + "7" * 300,
    )
    assert keys.settle_many([ending], now=NOON) == 1
    charge = Charge.objects.get()
    assert (charge.cost, charge.provider_cost) == (Decimal("0.0003"), Decimal("0.000299999"))
    assert charge.provider_request_id == "req_" + "7" * 196
    assert_books_balance()


def test_every_kind_of_token_stands_on_the_charge_and_has_its_price(people):
    rates = Rates(
        input=Decimal("0.001"),
        cached=Decimal("0.0001"),
        cache_write=Decimal("0.00125"),
        cache_write_long=Decimal("0.002"),
        audio_input=Decimal("0.01"),
        output=Decimal("0.004"),
        audio_output=Decimal("0.02"),
        image_input=Decimal("0.003"),
        image_output=Decimal("0.03"),
        request=Decimal("0.2"),
        web_search=Decimal("0.5"),
    )
    add_key("openai-1", rates=rates)
    usage = keys.Usage(
        input_tokens=1_000,
        cached_tokens=100,
        cache_write_tokens=300,
        cache_write_long_tokens=200,
        audio_input_tokens=50,
        output_tokens=90,
        reasoning_tokens=10,
        audio_output_tokens=30,
        image_input_tokens=40,
        image_output_tokens=20,
        web_searches=3,
    )
    lent = allocate(tokens=20_000)
    keys.settle(charge=hold(lent, 2_000), usage=usage, now=NOON)
    keys.report_usage(allocation_id=lent.pk, usage=usage, now=NOON)
    # 510 × 0.001 + 100 × 0.0001 + 100 × 0.00125 + 200 × 0.002 + 50 × 0.01 + 40 × 0.003
    # + 40 × 0.004 + 30 × 0.02 + 20 × 0.03 + 1 × 0.2 + 3 × 0.5, all / 1,000
    for charge in Charge.objects.all():
        assert {n: getattr(charge, n) for n in usage.as_columns()} == usage.as_columns()
        assert (charge.tokens, charge.cost) == (1_090, Decimal("0.004725"))
    assert_books_balance()


def test_a_call_takes_what_it_used_of_its_keys_rate_per_minute(people):
    add_key("openai-1", tokens_per_minute=100_000)
    lent = allocate(tokens=20_000)
    call, other = hold(lent, 1_000), hold(lent, 2_000)
    settle(call, 300)
    assert dict(RateLease.objects.values_list("charge", "tokens")) == {
        call.pk: 300,
        other.pk: 2_000,
    }
    keys.release(charge=other, now=NOON)
    assert RateLease.objects.get(charge=other.pk).tokens == 0


def test_an_estimate_is_marked_as_one(lent):
    charge = hold(lent, 1_000)
    usage = keys.Usage(total=1_000)
    keys.settle(charge=charge, usage=usage, basis=Charge.Basis.ESTIMATED, now=NOON)
    charge.refresh_from_db()
    assert (charge.basis, charge.cost) == ("estimated", Decimal("0.015"))
    assert_books_balance()


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": -1},
        {"input_tokens": 1, "cached_tokens": 2},
        {"input_tokens": 3, "cached_tokens": 2, "cache_write_tokens": 2},
        {"output_tokens": 1, "reasoning_tokens": 2},
        {"output_tokens": 1, "audio_output_tokens": 2},
        {"input_tokens": 1, "audio_input_tokens": 2},
        {"output_tokens": 1, "image_output_tokens": 2},
        {"output_tokens": 3, "image_output_tokens": 2, "audio_output_tokens": 2},
        {"input_tokens": 1, "image_input_tokens": 2},
        {"input_tokens": 3, "image_input_tokens": 2, "audio_input_tokens": 2},
        {"image_output_tokens": -1},
        {"input_tokens": 1, "cache_write_long_tokens": 1},
        {"audio_input_tokens": -1},
        {"input_tokens": 5, "total": 4},
        {"total": 10**12 + 1},
    ],
)
def test_what_cannot_be_is_refused_and_the_whole_batch_with_it(lent, usage):
    charge, good = hold(lent, 1_000), hold(lent, 1_000)
    wrong = keys.Settlement(charge, "settled", keys.Usage(**usage))
    with pytest.raises(WrongValue):
        keys.settle_many([keys.Settlement(good, "settled"), wrong], now=NOON)
    assert Charge.objects.filter(status="held").count() == 2


def test_usage_can_be_reported_beside_calls_in_flight(lent):
    hold(lent, 15_000)
    report(lent, 10_000)
    lent.refresh_from_db()
    assert (lent.overrun, lent.used, lent.held) == (True, 10_000, 15_000)
    assert window() == (10_000, 15_000)
    assert_books_balance()
