"""A group has the same colour in every chart."""

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from dashboard import colours
from dashboard.colours import colours_of
from reports import services as reports
from reports.models import ColourSlot
from tests.keys.builders import PAID, add_key, allocate, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db
NAMES = [f"agent-{number}" for number in range(12)]


@pytest.fixture(autouse=True)
def new_process(monkeypatch):
    """A process that has read no colours."""
    monkeypatch.setattr(colours, "_known", {})


@pytest.fixture
def staff(client):
    """A client signed in as grace, who may do everything, at a fixed noon."""
    client.force_login(get_user_model().objects.create_superuser("grace"))
    with travel(NOON, tick=False):
        yield client


@pytest.fixture
def usage(people):
    """carol spends most, then ada, then bob."""
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    for agent, tokens in (("carol", 900), ("ada", 500), ("bob", 9)):
        report(allocate(agent, 10_000, now=NOON), tokens, now=NOON)


def legend(client, address):
    """The colour of each group of the first chart of a page."""
    chart = client.get(address).context["chart"]
    return {entry.name: entry.colour for entry in chart.legend}


def test_agents_have_one_colour_on_every_page_in_any_order_and_selection(staff, usage):
    spend = legend(staff, "/spend?by=agent")
    assert spend == {"carol": "series-0", "ada": "series-1", "bob": "series-2"}
    assert legend(staff, "/spend?by=agent&agent=bob") == {"bob": "series-2"}
    report(allocate("bob", 10_000, now=NOON), 5_000, now=NOON)
    assert legend(staff, "/spend?by=agent&metric=cost_per_call&range=7d") == spend
    assert legend(staff, "/keys/openai-1") == spend


def test_cost_centres_have_one_colour_on_the_overview_and_in_the_explorer(staff, usage):
    explorer = legend(staff, "/spend")
    assert explorer.keys() == {"research", "sales"}
    assert explorer.items() <= legend(staff, "/").items()


def test_a_colour_is_stored_once_and_read_once_by_each_process(monkeypatch):
    first = colours_of("agent", NAMES[:8])
    assert sorted(first.values()) == list(range(8))
    monkeypatch.setattr(colours, "_known", {})
    with CaptureQueriesContext(connection) as queries:
        assert colours_of("agent", NAMES[7::-1]) == first
        assert colours_of("agent", NAMES[3:5]).items() <= first.items()
    assert len(queries) == 1


def test_the_ninth_group_shares_a_colour_but_never_within_a_chart():
    colours_of("agent", NAMES[:8])
    together = [NAMES[9], NAMES[0], NAMES[8], NAMES[1]]
    shown = colours_of("agent", together)
    stored = dict(ColourSlot.objects.values_list("name", "slot"))
    assert stored[NAMES[9]] == stored[NAMES[0]]
    assert len(set(shown.values())) == len(together)
    assert shown[NAMES[9]] == stored[NAMES[9]]
    assert colours_of("agent", [NAMES[0]])[NAMES[0]] == stored[NAMES[0]]


def test_a_colour_that_another_page_gave_is_kept():
    reports.assign_colours("agent", ["ada", "bob"])
    reports.assign_colours("agent", ["bob", "carol", "ada"])
    stored = dict(ColourSlot.objects.values_list("name", "slot"))
    assert (stored["ada"], stored["bob"]) == (0, 1)


def test_a_page_is_shown_where_colours_cannot_be_stored(staff, usage, monkeypatch):
    def fail(kind, names):
        raise DatabaseError("cannot execute INSERT in a read-only transaction")

    monkeypatch.setattr(colours.reports, "assign_colours", fail)
    assert len(set(legend(staff, "/spend?by=agent").values())) == 3
    assert not ColourSlot.objects.exists()
