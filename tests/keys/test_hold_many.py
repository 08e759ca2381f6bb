"""Many holds in one batch are what the same holds are one after the other."""

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from common.refusal import Refusal
from keys import services as keys
from keys.models import Agent, Allocation, ApiKey, Charge, RateLease
from keys.refusals import (
    AgentDisabled,
    AllocationClosed,
    AllocationExhausted,
    AllocationNotFound,
    HeldBefore,
    KeyCannotServe,
    KeyChanged,
    RateLimited,
    WrongValue,
)
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, complete, make_people, report, rotate
from tests.moments import NOON
from tests.tables import empty_tables

pytestmark = pytest.mark.django_db(transaction=True)


def wanted(allocation, least, most=None, key=None, **changes):
    """A request for a hold, by default with an idempotency key of its own."""
    key = key or f"hold-{next(_NAMES)}"
    return keys.HoldRequest(allocation.pk, least, least if most is None else most, key, **changes)


_NAMES = iter(range(10**9))


def held(*asked, now=NOON):
    """What was answered, as tokens or the refusal's class."""
    answers = keys.hold_many(asked, now=now)
    return [type(a) if isinstance(a, Refusal) else a.tokens for a in answers]


def test_each_takes_what_it_wants_of_what_the_ones_before_it_left(people):
    add_key("key-1")
    one = allocate(tokens=1_000)
    assert held(wanted(one, 100, 700), wanted(one, 100, 700), wanted(one, 1)) == [
        700,
        300,
        AllocationExhausted,
    ]
    assert Allocation.objects.get().held == 1_000
    assert_books_balance()


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize(
    ("call_cost", "most", "got", "held_cost"),
    [
        # 1,000 tokens at 0.015 USD for 1,000 are committed as 0.015 USD.
        ("0", 1_000, 1_000, "0.015"),
        ("0.003", 500, 500, "0.0105"),
        ("0.003", 1_000, 800, "0.015"),
        ("0.014", 1_000, None, "0"),
        ("0.02", 1_000, None, "0"),
    ],
)
def test_what_a_call_costs_beside_its_tokens_is_held_with_them(
    people, others, call_cost, most, got, held_cost
):
    add_key("key-1", rates=PAID)
    one, other = allocate(tokens=1_000), allocate(tokens=1_000)
    asked = wanted(one, 100, most, call_cost=Decimal(call_cost))
    # Alone it is the plain case, with others another statement.
    answers = held(asked, *[wanted(other, 1_000)] * others)
    assert answers[0] == (got or AllocationExhausted)
    one.refresh_from_db()
    assert (one.held, one.held_cost) == (got or 0, Decimal(held_cost))
    assert_books_balance()


def test_calls_that_cost_more_than_tokens_share_what_is_left(people):
    add_key("key-1", rates=PAID)
    one = allocate(tokens=1_000)
    # 0.006 and 300 × 0.000015 are 0.0105, which leaves 0.0045 of 0.015.
    asked = [wanted(one, 100, 300, call_cost=Decimal("0.006")) for _ in range(2)]
    assert held(*asked, wanted(one, 100, 400)) == [300, AllocationExhausted, 300]
    assert_books_balance()


def test_one_that_is_too_large_leaves_the_room_to_those_after_it(people):
    add_key("key-1")
    one = allocate(tokens=1_000)
    asked = [wanted(one, 400), wanted(one, 700), wanted(one, 500, 900), wanted(one, 0)]
    assert held(*asked) == [400, AllocationExhausted, 600, 0]
    assert_books_balance()


def test_a_refusal_says_what_is_left_after_the_batch(people):
    add_key("key-1")
    one = allocate(tokens=1_000)
    _, refusal = keys.hold_many([wanted(one, 900), wanted(one, 200)], now=NOON)
    assert (refusal.left, refusal.needed) == (100, 200)


def test_an_idempotency_key_twice_in_one_batch_is_one_charge(people):
    add_key("key-1")
    one = allocate(tokens=1_000)
    answers = held(
        wanted(one, 400, key="same"), wanted(one, 400, key="same"), wanted(one, 400, key="same")
    )
    assert answers == [400, HeldBefore, HeldBefore]
    assert Charge.objects.count() == 1
    # Where the first was refused, the second is asked as if it were alone.
    assert held(wanted(one, 700, key="x"), wanted(one, 600, key="x")) == [AllocationExhausted, 600]
    assert_books_balance()


def test_every_reason_to_refuse_in_one_batch(people):
    for slug in ("key-1", "key-2", "key-3"):
        add_key(slug)
    fine, closed, over, moved = (allocate(tokens=1_000) for _ in range(4))
    short = allocate(tokens=1_000, ttl_seconds=60)
    mute = allocate("carol", tokens=1_000)
    complete(closed)
    rotate(moved)
    report(over, 1_000)
    Agent.objects.filter(pk="carol").update(disabled_at=NOON)
    later = NOON + timedelta(seconds=60)
    asked = [
        wanted(closed, 1),
        wanted(short, 1),
        wanted(fine, 5, api_key=fine.api_key_id),
        wanted(mute, 1),
        wanted(moved, 1, api_key=moved.api_key_id),
        wanted(over, 1),
        wanted(Allocation(pk=10**9), 1),
        wanted(fine, 1_001),
    ]
    assert held(*asked, now=later) == [
        AllocationClosed,
        AllocationClosed,
        5,
        AgentDisabled,
        KeyChanged,
        AllocationClosed,
        AllocationNotFound,
        AllocationExhausted,
    ]
    assert_books_balance()


@pytest.mark.parametrize(
    ("status", "cooling", "serves"),
    [
        ("active", None, True),
        ("exhausted", None, True),
        ("broken", None, False),
        ("inactive", None, False),
        ("cooling", 1, False),
        ("cooling", 0, True),
        ("suspended", 1, False),
        ("suspended", 0, True),
    ],
)
def test_a_key_that_cannot_serve_holds_nothing_for_a_call(people, status, cooling, serves):
    add_key("key-1")
    one = allocate()
    until = None if cooling is None else NOON + timedelta(seconds=cooling)
    ApiKey.objects.update(status=status, cooling_until=until)
    answers = held(wanted(one, 1, api_key="key-1"), wanted(one, 2))
    # A hold without a key does not check whether the key can serve.
    assert answers == [1 if serves else KeyCannotServe, 2]
    assert held(wanted(one, 1, api_key="key-1", fresh=True)) == answers[:1]
    assert_books_balance()


def test_a_hold_with_a_used_idempotency_key_makes_no_second_charge(people):
    add_key("key-1")
    one = allocate(tokens=1_000)
    again = wanted(one, 5, key="once", api_key="key-1", fresh=True)
    assert held(again) == [5]
    assert held(again) == [HeldBefore]
    assert Charge.objects.count() == 1


def test_a_hold_below_zero_or_upside_down_is_refused(people):
    add_key("key-1")
    one = allocate()
    for least, most in ((-1, 5), (5, 4)):
        with pytest.raises(WrongValue):
            keys.hold_many([wanted(one, least, most)], now=NOON)
    assert keys.hold_many([], now=NOON) == []


def test_requests_per_minute_are_places_that_come_back_after_a_minute(people):
    add_key("key-1", requests_per_minute=3)
    one = allocate()
    answers = keys.hold_many([wanted(one, 1) for _ in range(5)], now=NOON)
    refusals = [answer for answer in answers if isinstance(answer, Refusal)]
    assert [type(refusal) for refusal in refusals] == [RateLimited] * 2
    minute = NOON + timedelta(minutes=1)
    # Also if the places were taken in the same batch, the refusal has the time to wait.
    assert {refusal.until for refusal in refusals} == {minute}
    assert held(wanted(one, 1), now=minute - timedelta(microseconds=1)) == [RateLimited]
    assert held(*(wanted(one, 1) for _ in range(4)), now=minute) == [1, 1, 1, RateLimited]
    assert keys.forget_leases(now=minute) == 3
    assert RateLease.objects.count() == 3
    assert_books_balance()


def test_only_what_gets_a_place_takes_one(people):
    add_key("key-1", requests_per_minute=2, tokens_per_minute=1_000)
    one, closed = allocate(tokens=1_000), allocate(tokens=1_000)
    complete(closed)
    asked = [wanted(closed, 900), wanted(one, 2_000), wanted(one, 400), wanted(one, 500)]
    assert held(*asked) == [AllocationClosed, AllocationExhausted, 400, 500]
    assert RateLease.objects.count() == 2
    assert_books_balance()


def test_a_settled_call_gives_back_the_tokens_per_minute_it_did_not_use(people):
    add_key("key-1", tokens_per_minute=1_000)
    one = allocate(tokens=10_000)
    (first,) = keys.hold_many([wanted(one, 900)], now=NOON)
    assert held(wanted(one, 200)) == [RateLimited]
    keys.end_many([keys.Settlement(first, "settled", keys.Usage(input_tokens=300))], now=NOON)
    assert held(wanted(one, 700), wanted(one, 1)) == [700, RateLimited]
    assert_books_balance()


def test_a_call_larger_than_the_whole_minute_passes_alone(people):
    add_key("key-1", tokens_per_minute=1_000)
    one = allocate(tokens=10_000)
    assert held(wanted(one, 5_000), wanted(one, 1)) == [5_000, RateLimited]
    assert held(wanted(one, 5_000), now=NOON + timedelta(minutes=1)) == [5_000]
    assert_books_balance()


class Ask(NamedTuple):
    """One hold of an example: of which allocation, how much, under which name."""

    place: int
    least: int
    more: int
    name: int


_ASKS = st.lists(
    st.builds(
        Ask,
        st.integers(0, 2),
        st.integers(0, 700),
        st.sampled_from([0, 1, 300, 2_000]),
        st.integers(0, 12),
    ),
    min_size=1,
    max_size=12,
)
_LIMITS = st.tuples(st.sampled_from([None, 1, 3, 6]), st.sampled_from([None, 500, 1_500]))


def test_a_batch_gives_what_holds_one_after_the_other_give(transactional_db):
    @examples(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(asks=_ASKS, limits=_LIMITS, cut=st.integers(0, 12))
    def check(asks, limits, cut):
        empty_tables()
        lent = _lent(limits)
        tried = [
            wanted(lent[ask.place], ask.least, ask.least + ask.more, f"name-{ask.name}")
            for ask in asks
        ]
        expected = _one_after_the_other(asks, limits, closed=2)
        assert held(*tried[:cut]) + held(*tried[cut:]) == expected
        assert_books_balance()

    check()


def test_a_single_plain_hold_gives_what_a_batch_gives(transactional_db):
    @examples(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(asks=_ASKS, limits=_LIMITS)
    def check(asks, limits):
        empty_tables()
        lent = _lent(limits)
        named = [ask._replace(name=number) for number, ask in enumerate(asks)]
        plain = {"api_key": "key-1", "fresh": True}
        answers = [
            held(wanted(lent[ask.place], ask.least, ask.least + ask.more, **plain))[0]
            for ask in named
        ]
        assert answers == _one_after_the_other(named, limits, closed=2)
        assert_books_balance()

    check()


def test_a_plain_hold_is_the_same_row_as_one_of_a_batch(people):
    add_key("key-1", rates=PAID)
    about = {"model": "m", "route": "/v1/x", "wire_format": "openai", "api_key": "key-1"}
    one, other = allocate(tokens=1_000), allocate(tokens=1_000)
    plain, batched = (
        keys.hold_many([wanted(lent, 10, 300, **about, fresh=fresh)], now=NOON)[0]
        for lent, fresh in ((one, True), (other, False))
    )
    assert plain._replace(pk=0, allocation_id=0) == batched._replace(pk=0, allocation_id=0)
    rows = Charge.objects.order_by("pk").values(
        *("model", "route", "held_tokens", "held_cost", "expires_at", "basis", "status"),
        "allocation__wire_format",
        "allocation__held_cost",
    )
    assert rows[0] == rows[1]


def _lent(limits):
    make_people()
    add_key("key-1", requests_per_minute=limits[0], tokens_per_minute=limits[1], rates=PAID)
    lent = [allocate(tokens=1_000), allocate(tokens=600), allocate(tokens=1_000)]
    complete(lent[2])
    return lent


def _one_after_the_other(asks, limits, *, closed):
    """The books as a child would keep them."""
    free, used, places = [1_000, 600, 0], set(), []
    answers = []
    for place, least, more, name in asks:
        answer = min(least + more, free[place]) if least <= free[place] else AllocationExhausted
        if (place, name) in used:
            answer = HeldBefore
        elif place == closed:
            answer = AllocationClosed
        elif not _has_place(places, least + more, *limits):
            answer = RateLimited
        elif answer is not AllocationExhausted:
            free[place] -= answer
            used.add((place, name))
            places.append(answer)
        answers.append(answer)
    return answers


def _has_place(places, most, requests, tokens):
    if requests is not None and len(places) >= requests:
        return False
    return tokens is None or not places or sum(places) + most <= tokens
