"""Agents and cost centres move while sessions begin, spend and end: the books balance."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.refusal import Refusal
from keys import services as keys
from keys.models import Agent, Allocation, CostCentre, Placement
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, complete, hold, limit, settle
from tests.moments import NOON
from tests.threads import is_waiting, run_and_close, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
END = keys.OpenWorkRule.END
TIMES = 60


@pytest.fixture
def house(people):
    """Two keys and a limit of every cost centre; ada and bob are of the lab below research."""
    for number in (1, 2):
        add_key(f"key-{number}", rates=PAID, per_day=50_000_000)
    keys.create_cost_centre("lab", parent="research", actor=ACTOR, now=NOON)
    for slug in ("org", "research", "sales", "lab"):
        limit(CostCentre.objects.get(pk=slug), 90_000_000)
    for agent in ("ada", "bob"):
        keys.move_agent(agent, cost_centre="lab", reason="set up", actor=ACTOR, now=NOON)


def move(dice):
    """Move an agent or a cost centre anywhere, or close and reopen one."""
    reason = {"reason": "race", "actor": ACTOR, "now": NOON, "open_work": END}
    what = dice.choice(("ada", "bob", "lab", "research", "close"))
    if what in ("ada", "bob"):
        keys.move_agent(what, cost_centre=dice.choice(("lab", "sales", "research")), **reason)
    elif what == "close":
        keys.close_cost_centre("lab", agents_to=dice.choice(("sales", "org")), **reason)
        keys.reopen_cost_centre("lab", reason="race", actor=ACTOR, now=NOON)
    else:
        keys.move_cost_centre(what, parent=dice.choice(("org", "sales", "")), **reason)


def spend(dice):
    """Lend, call and settle, and leave some of it open."""
    lent = allocate(dice.choice(("ada", "bob", "carol")), 10_000)
    calls = [hold(lent, 500) for _ in range(2)]
    settle(calls[0], 400)
    if dice.random() < 0.5:
        settle(calls[1], 300)
        complete(lent)


def test_the_books_balance_while_agents_and_cost_centres_move(house, at_once):
    def act(number):
        dice = random.Random(number)
        return (move if number % 4 == 0 else spend)(dice)

    answers = at_once(act, times=TIMES)
    unexpected = [each for each in answers if isinstance(each, Exception)]
    assert not [each for each in unexpected if not isinstance(each, Refusal)]
    assert_books_balance()
    current = {each.pk: each.path for each in CostCentre.objects.all()}
    for lent in Allocation.objects.filter(status="active").select_related("placement"):
        # What is open is always paid where the agent is.
        assert lent.placement.path == current[lent.cost_centre_id]
        assert Agent.objects.get(pk=lent.agent_id).cost_centre_id == lent.cost_centre_id
    assert Placement.objects.filter(cost_centre="lab").exists()


def test_an_allocation_that_read_the_old_place_is_made_in_the_new_one(house, monkeypatch):
    from keys.books.services import allocate as service

    decide, moved = service.decide, []

    def move_first(**asked):
        if not moved:
            # As if this process had read the tree before the move and got its lock after it.
            moved.append(True)
            Agent.objects.filter(pk="ada").update(cost_centre="sales")
        return decide(**asked)

    monkeypatch.setattr(service, "decide", move_first)
    lent = allocate("ada", 10_000)
    assert lent.cost_centre_id == "sales"
    assert_books_balance()


def test_who_adds_a_cost_centre_waits_for_the_move_of_the_one_above(house):
    from django.db import transaction

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            CostCentre.objects.select_for_update(no_key=True).get(pk="lab")
            added = threads.submit(
                run_and_close,
                lambda: keys.create_cost_centre("desk", parent="lab", actor=ACTOR, now=NOON),
            )
            wait_until(is_waiting)
            CostCentre.objects.filter(pk="lab").update(parent="sales", path=["org", "sales", "lab"])
        assert added.result(timeout=60).path == ["org", "sales", "lab", "desk"]
    assert_books_balance()
