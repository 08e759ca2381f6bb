"""A settlement in one round trip writes what the service with its consequences writes."""

from datetime import timedelta
from itertools import count

import pytest
from django.db import connection
from django.forms.models import model_to_dict
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from alerts.models import Alert
from common.statements import run
from keys import services as keys
from keys.books.services.settle import end_with_consequences
from keys.models import (
    MEASURES,
    Allocation,
    Charge,
    CostCentre,
    UsageSlice,
    Window,
)
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, limit
from tests.moments import NOON
from tests.threads import overtaken

pytestmark = pytest.mark.django_db(transaction=True)

_WORLDS = count()
_LATER = timedelta(seconds=90)


class World:
    """A key, a cost centre and an agent with limits, and two sessions. Two worlds are alike."""

    def __init__(self, *, per_day, tokens):
        name = f"world-{next(_WORLDS)}"
        centre = keys.create_cost_centre(f"centre-{name}", actor=ACTOR, now=NOON)
        self.key = add_key(f"key-{name}", provider=name, rates=PAID)
        agent = keys.create_agent_without_limits(
            name, cost_centre=centre.slug, actor=ACTOR, now=NOON
        )
        limit(agent, 10, unit="usd", period="month")
        limit(CostCentre.objects.get(pk=centre.pk), 1_000_000)
        self.name = name
        self.sessions = [allocate(name, tokens=tokens, provider=name) for _ in range(2)]
        # Lowered below what is lent, so that calls can fill it.
        limit(self.key, per_day)

    def hold(self, calls):
        """A hold for each call: the number of its session, and tokens."""
        requests = [
            keys.HoldRequest(self.sessions[n].pk, tokens, tokens, f"call-{each}", fresh=True)
            for each, (n, tokens) in enumerate(calls)
        ]
        return keys.hold_many(requests, now=NOON)

    def rows(self):
        """What is written in it, without ids and names."""
        sessions = Allocation.objects.filter(agent_id=self.name).order_by("pk")
        scopes = [f"key:{self.key.pk}", *self.sessions[0].payers]
        return {
            "sessions": [
                (s.status, s.used, s.held, s.used_cost, s.held_cost, s.overrun, s.warned_at)
                for s in sessions
            ],
            "windows": [
                (w.unit, w.used, w.committed, w.closed_at, w.starts_at)
                for scope in scopes
                for w in Window.objects.filter(scope=scope).order_by("pk")
            ],
            "charges": [
                model_to_dict(charge, exclude=("id", "allocation", "api_key", "price"))
                for charge in Charge.objects.filter(api_key=self.key).order_by("pk")
            ],
            "slices": [
                {name: getattr(each, name) for name in MEASURES}
                for each in UsageSlice.objects.filter(api_key_id=self.key.pk).order_by("starts_at")
            ],
            "alerts": list(
                Alert.objects.filter(key_id=self.key.pk)
                .order_by("kind", "pk")
                .values_list("kind", "severity")
            ),
        }


CALL = st.tuples(
    st.integers(0, 1),
    st.sampled_from([0, 1, 50, 400]),
    # Of what is held: less, all, more; or it is released.
    st.sampled_from([None, 0, 0.5, 1, 1.5]),
)


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    calls=st.lists(CALL, min_size=1, max_size=6),
    tokens=st.sampled_from([900, 100_000]),
    per_day=st.sampled_from([300, 1_000_000]),
    again=st.booleans(),
)
def test_it_writes_what_the_service_writes(db, calls, tokens, per_day, again):
    worlds = [World(per_day=per_day, tokens=tokens) for _ in range(2)]
    outcomes = []
    for world, end in zip(worlds, (keys.end_many, end_with_consequences), strict=True):
        held = world.hold([(n, least) for n, least, _ in calls])
        endings = [
            ending(hold, share)
            for hold, (_, _, share) in zip(held, calls, strict=True)
            if isinstance(hold, keys.HoldResult)
        ]
        results = end(endings, now=NOON + _LATER) if endings else []
        if again and endings:
            results += end(endings[:2] * 2, now=NOON + 2 * _LATER)
        # Not what is left: the service ends the plain ones together with the others.
        outcomes.append(([(result.ended, result.cost) for result in results], world.rows()))
    assert outcomes[0] == outcomes[1]
    assert_books_balance()


def ending(hold, share):
    """How a held charge ends: with a share of what it holds, or released."""
    if share is None:
        return keys.Settlement(hold, "released")
    tokens = int(hold.tokens * share)
    usage = keys.Usage(input_tokens=tokens // 2, output_tokens=tokens - tokens // 2)
    return keys.Settlement(hold, "settled", usage)


def test_the_plain_case_is_one_round_trip_and_the_rest_is_left(people):
    add_key("openai-1", rates=PAID)
    allocation = allocate(tokens=1_000)
    held = [hold_of(allocation, n) for n in range(3)]
    keys.end_many([ending(held[0], 0.5)], now=NOON)
    with connection.execute_wrapper(never):
        [plain] = run(keys.end_plain([ending(held[1], 0.5)], now=NOON))
    assert plain.ended
    # It crosses the threshold of the session: nothing is written, and the service does it.
    assert run(keys.end_plain([ending(held[2], 8)], now=NOON)) == [None]
    assert Charge.objects.get(pk=held[2].pk).status == "held"
    [result] = keys.end_many([ending(held[2], 8)], now=NOON)
    assert result.ended
    assert Alert.objects.filter(kind="rotation_needed").exists()
    assert_books_balance()


def hold_of(allocation, number):
    [held] = keys.hold_many(
        [keys.HoldRequest(allocation.pk, 100, 100, f"call-{number}", fresh=True)], now=NOON
    )
    return held


def never(execute, sql, params, many, context):
    raise AssertionError(f"an additional statement: {sql}")


def test_a_window_that_ended_is_not_counted_in(people):
    add_key("openai-1", rates=PAID)
    allocation = allocate(tokens=1_000, ttl_seconds=90_000)
    held = [hold_of(allocation, n) for n in range(2)]
    keys.end_many([ending(held[0], 0.5)], now=NOON)
    tomorrow = NOON + timedelta(days=1)
    assert run(keys.end_plain([ending(held[1], 0.5)], now=tomorrow)) == [None]
    keys.end_many([ending(held[1], 0.5)], now=tomorrow)
    key_windows = Window.objects.filter(scope="key:openai-1").order_by("starts_at")
    assert [window.used for window in key_windows] == [50, 50]
    assert_books_balance()


def test_it_waits_for_the_lock_of_its_session_and_ends_a_charge_once(people):
    add_key("openai-1", rates=PAID)
    allocation = allocate(tokens=1_000)
    keys.end_many([ending(hold_of(allocation, 1), 0.5)], now=NOON)
    one = ending(hold_of(allocation, 2), 0.5)

    [first] = overtaken(
        first=Allocation.objects.select_for_update().get,
        then=lambda: keys.end_many([one], now=NOON),
    )
    [second] = keys.end_many([one], now=NOON)
    assert (first.ended, second.ended) == (True, False)
    assert Allocation.objects.get().used == 100
    assert_books_balance()
