"""Usage from slices is that from charges."""

from datetime import timedelta
from decimal import Decimal

import pytest

from keys import services as keys
from keys.books.queries.usage import GROUPS, UsageFilter, usage_groups, usage_totals
from tests.keys.builders import PAID, add_key, adjust, allocate, hold, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
# The same calls: from slices, and from charges, because slices do not end there.
SLICES = UsageFilter(since=NOON, until=NOON + timedelta(days=2))
CHARGES = SLICES._replace(until=SLICES.until + SECOND)


@pytest.fixture
def usage(people):
    add_key("nvidia-1", priority=9)
    add_key("openai-1", provider="openai", rates=PAID)
    for number, agent in enumerate(("ada", "bob", "carol")):
        session = allocate(agent, tokens=9_000, provider="openai" if number else None, label=agent)
        adjust(report(session, 100 * number + 1), 50)
        report(session, 7, now=NOON + timedelta(days=1))
        ending = keys.Settlement(
            hold(session, 100), "settled", keys.Usage(output_tokens=9), provider_cost=Decimal(2)
        )
        keys.settle_many([ending], now=NOON)
        keys.release(charge=hold(session, 100, now=NOON + number * SECOND), now=NOON)
    # A quarter of an hour, and a key, in which nothing was settled.
    add_key("groq-1", provider="groq", priority=10)
    idle = allocate("ada", tokens=1_000, provider="groq")
    keys.release(charge=hold(idle, 100), now=NOON + timedelta(hours=5))


FILTERS = [
    {},
    {"provider": "openai"},
    {"key_id": "nvidia-1"},
    {"agent": "bob"},
    {"cost_centre": "research"},
    {"cost_centre": "org", "until": None},
    {"agent": "nobody"},
]


@pytest.mark.parametrize("which", FILTERS)
def test_slices_and_charges_have_the_same_totals(usage, which, django_assert_num_queries):
    with django_assert_num_queries(1) as queries:
        found = usage_totals(SLICES._replace(**which))
    assert "keys_usageslice" in queries[0]["sql"]
    assert found == usage_totals(CHARGES._replace(**{"until": CHARGES.until, **which}))


@pytest.mark.parametrize("by", [name for name in GROUPS if name != "session"])
def test_slices_and_charges_have_the_same_groups(usage, by, django_assert_num_queries):
    with django_assert_num_queries(1) as queries:
        found = usage_groups(SLICES, by=by, after=None, most=10)
    assert "keys_usageslice" in queries[0]["sql"]
    assert found == usage_groups(CHARGES, by=by, after=None, most=10)
    assert usage_groups(SLICES, by=by, after=found[0]["group"], most=1) == found[1:2]


def test_sessions_are_summed_from_charges(usage):
    sessions = usage_groups(SLICES, by="session", after=None, most=10)
    assert sum(row["tokens"] for row in sessions) == usage_totals(SLICES)["tokens"]
