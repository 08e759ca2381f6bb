"""Simulated usage, imported in bulk: the books are as if each call had been made."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from interchange.simulated_usage.sessions import Simulation
from interchange.simulated_usage.workloads import ModelUse, Outage, Workload, working_day
from keys import services as keys
from keys.models import MEASURES, Adjustment, Agent, Allocation, ApiKey, Charge, UsageSlice, Window
from keys.refusals import WrongValue
from security.actor import Actor
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, limit
from tests.moments import NOON

DAY = timedelta(days=1)
QUARTER = timedelta(minutes=15)


def workload(agent="ada", key="openai-1", model="model-1", **changes):
    """What an agent does."""
    use = ModelUse(key_id=key, model=model, has_provider_cost=True)
    terms = {"sessions": 20, "calls": (6, 14), "input_tokens": 900, "output_tokens": 200}
    return Workload(agent=agent, label="task:7", models=(use,), **{**terms, **changes})


def simulate(*workloads, days=3, until=NOON, **options):
    """The sessions of some days."""
    simulation = Simulation(workloads, name="test", seed=1, **options)
    return list(simulation.sessions(since=(NOON - days * DAY).date(), until=until))


def slices():
    """What each slice adds up to."""
    keys_of = ("starts_at", "api_key_id", "agent_id", "cost_centre_id", "label", "model")
    rows = UsageSlice.objects.values(*keys_of, *MEASURES)
    return {tuple(row[name] for name in keys_of): [row[name] for name in MEASURES] for row in rows}


def settle_again(session):
    """Make the calls of a session one by one, on another allocation."""
    request = keys.AllocationRequest(
        tokens=10**9,
        provider=ApiKey.objects.get(pk=session.key_id).provider_id,
        label=session.label,
    )
    allocation, _ = keys.allocate(
        agent=session.agent,
        request=request,
        actor=Actor.agent(session.agent),
        now=session.created_at,
    )
    holds = keys.hold_many(
        [
            keys.HoldRequest(
                allocation.pk,
                call.kind.held_tokens,
                call.kind.held_tokens,
                f"again-{number}",
                model=call.kind.model,
                ttl_seconds=1,
            )
            for number, call in enumerate(session.calls)
        ],
        now=session.created_at,
    )
    batches = defaultdict(list)
    for held, call in zip(holds, session.calls, strict=True):
        kind = call.kind
        price = ApiKey.objects.select_related("price").get(pk=session.key_id).price
        cost = kind.usage.cost(price, at=call.ended_at)
        ending = keys.Settlement(
            held, kind.status, kind.usage, kind.basis, cost if kind.has_provider_cost else None
        )
        # When a hold was released is not recorded.
        moment = call.began_at if kind.status == Charge.Status.RELEASED else call.ended_at
        batches[(moment - datetime.min.replace(tzinfo=UTC)) // QUARTER].append((moment, ending))
    for batch in batches.values():
        moment = max(moment for moment, _ in batch)
        assert keys.settle_many([ending for _, ending in batch], now=moment) == len(batch)


@pytest.mark.django_db
def test_slices_of_imported_sessions_are_those_that_settlements_write(people):
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    add_key("nvidia-1", rates=PAID, provider="nvidia", per_day=None)
    sessions = simulate(workload(), workload("carol", "nvidia-1", hours="always", weekend=1))
    assert keys.import_sessions(sessions, now=NOON) == Charge.objects.count() > 500
    statuses = set(Charge.objects.values_list("status", "basis"))
    assert statuses == {
        ("settled", "provider"),
        ("settled", "estimated"),
        ("released", "provider"),
        ("expired", "provider"),
    }
    once = slices()
    for session in sessions:
        settle_again(session)
    assert slices() == {key: [2 * value for value in values] for key, values in once.items()}
    assert_books_balance()


@pytest.mark.django_db
def test_imported_sessions_count_in_the_windows_of_all_who_pay(people):
    limits = [
        limit(add_key("openai-1", rates=PAID, provider="openai", per_day=None), 10**9),
        limit(Agent.objects.get(pk="ada"), 500, unit="usd", period="month"),
        limit(Agent.objects.get(pk="ada").cost_centre, 10**9, period="total"),
    ]
    assert keys.open_past_windows(since=NOON - 40 * DAY) == 40 + 2
    assert keys.open_past_windows(since=NOON - 40 * DAY) == 0
    keys.import_sessions(simulate(workload(), days=40), now=NOON)
    for each in limits:
        used = [window.used for window in Window.objects.filter(limit=each)]
        assert sum(used) > 0
    assert_books_balance()


@pytest.mark.django_db
def test_a_model_without_a_price_is_refused_and_nothing_is_imported(people):
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    with pytest.raises(WrongValue):
        keys.import_sessions(simulate(workload(model="unknown")), now=NOON)
    assert not Allocation.objects.exists()
    assert not Adjustment.objects.exists()


def test_the_same_seed_makes_the_same_sessions_and_none_ends_later_than_now():
    def told(sessions):
        return [(each.session_id, each.used, each.created_at, each.closed_at) for each in sessions]

    first, second = simulate(workload()), simulate(workload())
    assert told(first) == told(second)
    assert max(each.closed_at for each in first) <= NOON


def test_nobody_works_in_an_office_at_the_weekend_and_incidents_have_their_day():
    incident = workload("bob", day=NOON.date() - DAY, hours="before_dawn")
    sessions = simulate(workload(), incident, days=10)
    assert {each.created_at.weekday() for each in sessions} <= set(range(5))
    assert {each.created_at.date() for each in sessions if each.agent == "bob"} == {incident.day}


def test_most_calls_are_refused_in_an_outage():
    day = working_day(NOON.date(), days_ago=1)
    outage = Outage(key_id="openai-1", day=day, from_hour=0, until_hour=24)
    calls = [
        call
        for session in simulate(workload(), outages=[outage])
        if session.created_at.date() == day
        for call in session.calls
    ]
    refused = [call for call in calls if call.kind.status == Charge.Status.RELEASED]
    assert len(refused) > len(calls) / 2


def test_a_working_day_is_none_of_the_weekend():
    assert working_day(datetime(2026, 3, 8, tzinfo=UTC).date(), days_ago=0).isoweekday() == 5
    assert working_day(datetime(2026, 3, 10, tzinfo=UTC).date(), days_ago=0).isoweekday() == 2
