"""The page of cost centres: the tree, adding and renaming."""

from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from gate.models import CentreBinding
from keys.models import Agent, CostCentre
from security.models import AuditEntry
from tests.keys.builders import add_key, allocate

pytestmark = pytest.mark.django_db
PAGE = "/settings/cost-centres"
PERMISSIONS = ("view_costcentre", "add_costcentre", "change_costcentre")


def bound(client, centre, *permissions):
    """Dora signs in, bound to a cost centre."""
    dora = get_user_model().objects.create_user("dora", "dora@example.org", is_staff=True)
    dora.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    CentreBinding.objects.create(person=dora, cost_centre_id=centre)
    client.force_login(dora)


def html_of(answer):
    return unescape(answer.content.decode())


def post(client, act, **asked):
    return client.post(f"{PAGE}?act={act}", {"reason": "new team", **asked}, follow=True)


def test_the_tree_is_shown_from_the_top_with_its_agents(staff, people):
    rows = staff.get(PAGE).context["table"].rows
    places = [row["place"].value for row in rows]
    assert places == sorted(places)
    assert {"org", "org / research"} <= set(places)
    assert sum(row["agents"] for row in rows) == staff.get(PAGE).context["table"].totals["agents"]
    assert "level-2" in html_of(staff.get(PAGE))
    assert "level-2" not in html_of(staff.get(PAGE, {"sort": "-place"}))


def test_a_cost_centre_is_added_below_another_with_a_reason(staff, people):
    assert 'name="parent"' in html_of(staff.get(f"{PAGE}?act=add"))
    answer = post(staff, "add", slug="lab", name="The lab", parent="research")
    assert "The cost centre lab is added." in html_of(answer)
    lab = CostCentre.objects.get(pk="lab")
    assert (lab.name, lab.path) == ("The lab", ["org", "research", "lab"])
    entry = AuditEntry.objects.filter(action="cost_centre.create").first()
    assert (entry.subject, entry.actor_name, entry.reason) == ("centre:lab", "grace", "new team")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"slug": "research"}, "already exists"),
        ({"slug": "A b"}, "cannot be used as a name"),
        ({"slug": "lab", "parent": "moon"}, "not one of the available choices"),
        ({"slug": "lab", "reason": ""}, "This field is required."),
    ],
)
def test_what_cannot_be_added_is_said_in_the_dialog(staff, people, asked, words):
    count = CostCentre.objects.count()
    assert words in html_of(post(staff, "add", **asked))
    assert CostCentre.objects.count() == count


def test_a_cost_centre_is_renamed_once_and_keeps_its_place(staff, people):
    assert 'value="' in html_of(staff.get(f"{PAGE}?act=rename-research"))
    for _ in range(2):
        answer = post(staff, "rename-research", name="Research and labs")
    assert "is called Research and labs." in html_of(answer)
    centre = CostCentre.objects.get(pk="research")
    assert (centre.name, centre.path) == ("Research and labs", ["org", "research"])
    entry = AuditEntry.objects.get(action="cost_centre.rename")
    assert (entry.after, entry.reason) == ({"name": "Research and labs"}, "new team")
    assert "This field is required." in html_of(post(staff, "rename-research", name=" "))
    for act in ("rename-moon", "rename-", "rename-\0", "unicorn"):
        assert post(staff, act, name="x").status_code == 403


def test_who_is_bound_sees_and_changes_their_part_only(client, people):
    bound(client, "research", *PERMISSIONS)
    assert [row["place"].value for row in client.get(PAGE).context["table"].rows] == [
        "org / research"
    ]
    assert post(client, "rename-sales", name="x").status_code == 403
    assert "This field is required." in html_of(post(client, "add", slug="lab"))
    assert "not one of the available choices" in html_of(
        post(client, "add", slug="lab", parent="org")
    )
    post(client, "add", slug="lab", parent="research")
    assert CostCentre.objects.get(pk="lab").path == ["org", "research", "lab"]


def test_who_may_only_look_changes_nothing(client, people):
    bound(client, "research", "view_costcentre")
    assert "?act=" not in html_of(client.get(PAGE))
    assert post(client, "add", slug="lab", parent="research").status_code == 403
    assert post(client, "rename-research", name="x").status_code == 403


def test_many_cost_centres_take_as_many_queries_as_few(
    staff, people, django_assert_max_num_queries
):
    CostCentre.objects.bulk_create(
        CostCentre(slug=f"c{n}", name=f"C {n}", parent_id="org", path=["org", f"c{n}"])
        for n in range(120)
    )
    with django_assert_max_num_queries(10):
        assert staff.get(PAGE).status_code == 200


def confirmed(client, page, **asked):
    """Send a dialog twice, as a person does who ticks the box that the first answer shows."""
    asked = {"reason": "new team", **asked}
    shown = client.post(page, asked)
    field = shown.context["dialog"].form["confirmed"]
    ticked = {"confirmed": field.field.widget.attrs["value"]}
    return " ".join(field.errors), client.post(page, {**asked, **ticked}, follow=True)


def test_a_cost_centre_is_closed_once_its_effect_was_confirmed(staff, people):
    add_key("key-1", per_day=None)
    allocate(tokens=5_000)
    says, answer = confirmed(staff, f"{PAGE}?act=close-research")
    assert "Cost centres that close: 1. Agents that are switched off: 2." in says
    assert "This ends 1 open session with 5,000 tokens left" in says
    assert "The cost centre research is closed." in html_of(answer)
    row = next(r for r in answer.context["table"].rows if r["place"].value == "org / research")
    assert (row["status"], row["close"].value) == ("closed", "Reopen")
    assert "research" not in html_of(staff.get(f"{PAGE}?act=add")).partition('name="parent"')[2]
    assert "is open again" in html_of(post(staff, "reopen-research"))
    assert post(staff, "reopen-research").status_code == 403


def test_its_agents_move_with_the_closing_and_another_answer_is_confirmed_anew(staff, people):
    page = f"{PAGE}?act=close-research"
    shown = staff.post(page, {"reason": "merged"}).context["dialog"].form["confirmed"]
    value = shown.field.widget.attrs["value"]
    again = staff.post(page, {"reason": "merged", "agents_to": "sales", "confirmed": value})
    assert "Agents that sales pays for from now on: 2." in html_of(again)
    assert CostCentre.objects.get(pk="research").closed_at is None
    _, answer = confirmed(staff, page, agents_to="sales")
    assert set(Agent.objects.filter(cost_centre="sales").values_list("pk", flat=True)) == {
        "ada", "bob", "carol",
    }  # fmt: skip
