"""The books check finds every kind of imbalance, and says which."""

from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from keys import services as keys
from keys.books.queries.books_check import CHECKS, books_check
from keys.models import Agent
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, adjust, allocate, hold, limit, report, settle

pytestmark = pytest.mark.django_db

_COPY = "CREATE TABLE keys_charge_2000_01 (LIKE keys_charge) INHERITS (keys_charge);"

# What breaks each check, by what the check is called.
DAMAGES = {
    "1 commit-fits": "ALTER TABLE keys_window DISABLE TRIGGER ALL",
    "2 used-up-is-closed": "UPDATE keys_allocation SET used = allocated, held = 0",
    "3 window-committed": "UPDATE keys_window SET committed = committed + 1",
    "3 allocation-held": "UPDATE keys_charge SET held_tokens = held_tokens + 1",
    "3 allocation-used": "UPDATE keys_allocation SET used_cost = used_cost + 1",
    "3 window-used": "UPDATE keys_window SET used = used + 1",
    "3 window-amount": "UPDATE keys_window SET amount = amount + 1",
    "3 window-carried": """UPDATE keys_window SET carried = 1, amount = amount + 1;
        INSERT INTO keys_window (limit_id, scope, unit, starts_at, ends_at, amount, used, committed,
                                 closed_at)
        SELECT limit_id, scope, unit, starts_at - interval '1 day', starts_at, 5, 5, 0, now()
          FROM keys_window
    """,
    "3 one-open-window": "UPDATE keys_window SET closed_at = now(), committed = 0",
    "6 adjusted-charge-is-final": "UPDATE keys_charge SET hold_expired_at = now()",
    "6 charge-is-in-one-place": f"{_COPY} INSERT INTO keys_charge_2000_01 TABLE ONLY keys_charge",
    "6 partitions-of-charges": _COPY,
    "6 append-only": "ALTER TABLE keys_charge DISABLE TRIGGER ALL",
    "7 slices-of-charges": "UPDATE keys_usageslice SET estimated_cost = estimated_cost + 1",
    "7 slices-of-windows": "UPDATE keys_usageslice SET agent_id = 'bob'",
    "7 days-of-slices": "UPDATE keys_usageday SET cost = cost + 1",
    "8 places-in-the-tree": "UPDATE keys_costcentre SET path = '{moon,sales}' WHERE slug = 'sales'",
    "8 placements-of-allocations": "UPDATE keys_allocation SET placement_id = placement_id + 1",
}


@contextmanager
def damaged(damage):
    """The damage done to the database, with every trigger asleep, then undone."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Constraints that are checked at the end must not wait for an ALTER TABLE.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        if damage.startswith("UPDATE"):
            cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(damage)
        yield
        transaction.set_rollback(True)


def broken():
    """The names of the checks that find something."""
    return [finding.check.name for finding in books_check() if finding.count]


@pytest.fixture
def busy(people):
    """Usage, a call in flight, a settled one, limits in tokens and USD."""
    add_key("openai-1", rates=PAID)
    limit(Agent.objects.get(pk="ada"), 5, unit="usd")
    allocation = allocate(tokens=20_000)
    adjust(report(allocation, 100), 90)
    settle(hold(allocation, 500), 400)
    hold(allocation, 700)
    keys.roll_up_usage()
    assert_books_balance()


@pytest.mark.parametrize(("name", "damage"), DAMAGES.items())
def test_what_is_damaged_is_found(busy, name, damage):
    with damaged(damage):
        assert name in broken()
    assert broken() == []


def test_checks_that_constraints_make_impossible_are_there_all_the_same():
    assert {check.name for check in CHECKS} - set(DAMAGES) == {
        "2 allocation-not-overspent",
        "4 charge-ends-once",
        "5 unknown-is-not-zero",
    }


def test_a_finding_shows_the_first_rows(busy):
    with damaged(DAMAGES["3 window-committed"]):
        (finding,) = [found for found in books_check() if found.count]
    assert finding.count == 2
    assert {row["scope"] for row in finding.rows} == {"key:openai-1", "agent:ada"}
