"""Search: what a person may see, by name or number."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from dashboard.search import MOST, search
from gate.models import CentreBinding
from keys.models import Agent, Charge
from tests.keys.builders import add_key, allocate, report
from tests.orchestration.work import submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def work(people):
    """A key, and of each of two cost centres an agent with a task and a charge."""
    add_key("nvidia-1")
    for agent in ("ada", "carol"):
        report(allocate(agent), 900)
        submit(f"Write for {agent}", agent=agent)


@pytest.fixture
def root():
    return get_user_model().objects.create_superuser("root")


def person(*codenames, centre=None):
    """Staff with these permissions, bound to a cost centre."""
    user = get_user_model().objects.create_user("ruth", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    if centre:
        CentreBinding.objects.create(person=user, cost_centre_id=centre)
    return user


def titles(user, text):
    return {section.title: [row.title for row in section.rows] for section in search(user, text)}


def test_keys_agents_and_providers_are_found_by_a_part_of_their_names(work, root):
    assert titles(root, "VIDIA")["Keys"] == ["nvidia-1"]
    assert titles(root, "vidia")["Providers"] == ["nvidia"]
    assert titles(root, " ada ")["Agents"] == ["ada"]
    assert titles(root, "esearc")["Cost centres"] == ["research"]


def test_a_charge_is_found_by_its_number(work, root):
    charge = Charge.objects.earliest("pk")
    (section,) = [each for each in search(root, str(charge.pk)) if each.title == "Charges"]
    assert section.rows[0].url.endswith(f"/charges/{charge.pk}")


def test_a_person_finds_only_kinds_that_the_person_may_see(work):
    assert titles(person("view_agent"), "a").keys() == {"Agents"}


def test_a_person_of_a_cost_centre_finds_nothing_of_others(work):
    ruth = person("view_agent", "view_task", "view_charge", centre="research")
    assert titles(ruth, "ada")["Agents"] == ["ada"]
    assert "Agents" not in titles(ruth, "carol")
    theirs = Charge.objects.get(allocation__agent="carol")
    assert "Charges" not in titles(ruth, str(theirs.pk))
    assert not [row for row in titles(ruth, "Write").get("Tasks", []) if "carol" in row]


def test_few_of_many_are_shown(work, root):
    centre = Agent.objects.get(pk="ada").cost_centre
    Agent.objects.bulk_create(
        Agent(slug=f"many-{n:02}", name="Many", cost_centre=centre) for n in range(20)
    )
    assert titles(root, "many")["Agents"] == [f"many-{n:02}" for n in range(MOST)]


@pytest.mark.parametrize("text", ["", " ", "\0", "%", "9" * 30, "٣", "' OR 1=1 --", "x" * 5_000])
def test_odd_texts_find_nothing_and_break_nothing(work, root, client, text):
    client.force_login(root)
    assert client.get("/search", {"q": text}).status_code in (200, 400)
    assert search(root, text) == []


def test_the_palette_gets_only_options(work, root, client):
    client.force_login(root)
    options = client.get("/search", {"q": "<nvidia>"}, headers={"HX-Request": "true"})
    assert b"&lt;nvidia&gt;" in options.content
    assert b"<html" not in options.content
    assert b'role="option"' in options.content
    assert b"<html" in client.get("/search", {"q": "nvidia"}).content


def test_a_search_takes_one_query_for_each_kind(work, root, django_assert_num_queries):
    with django_assert_num_queries(7):
        search(root, "7")
