"""Operators move, close, rename and hide by the API; open work stands in the way, as on pages."""

import pytest

from keys.models import Agent, ApiKey, CostCentre
from security.models import AuditEntry
from tests.api.caller import assert_problem
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate

pytestmark = pytest.mark.django_db


def test_an_agent_moves_when_nothing_of_it_is_open_or_ends_with_it(carol):
    add_key("key-1")
    lent = allocate("ada")
    path, asked = "/agents/ada/move", {"cost_centre": "org", "reason": "a new team"}
    problem = assert_problem(carol.post(path, **asked), 409, "work_is_open")
    assert (problem["sessions"], problem["first"][0]["session_id"]) == (1, lent.session_id)
    moved = carol.post(path, **asked, end_open_work=True)
    assert (moved.status_code, moved.json()["cost_centre"]) == (200, "org")
    # A repeated request changes nothing.
    assert carol.post(path, **asked).json() == moved.json()
    entry = AuditEntry.objects.get(action="agent.move")
    assert (entry.actor, entry.reason) == ("agent:carol", "a new team")
    assert_books_balance()


def test_a_cost_centre_moves_closes_and_opens_again(carol):
    path = "/cost-centres/research"
    moved = carol.post(f"{path}/move", parent=None, reason="its own tree").json()
    assert moved["path"] == ["research"]
    closed = carol.post(f"{path}/closure", agents_to="org", reason="merged").json()
    assert closed["closed_at"]
    assert Agent.objects.get(pk="ada").cost_centre_id == "org"
    problem = carol.post("/agents/ada/move", cost_centre="research", reason="back")
    assert_problem(problem, 403, "cost_centre_closed")
    assert carol.post(f"{path}/reopening", reason="needed").json()["closed_at"] is None
    named = carol.post(f"{path}/renaming", name="R and D", reason="as people say").json()
    assert (named["cost_centre"], named["name"]) == ("research", "R and D")
    assert carol.post("/agents/ada/renaming", name="Ada L", reason="x").json()["name"] == "Ada L"


def test_no_agent_chooses_its_own_payers(carol):
    asked = {"reason": "more budget"}
    for path, more in (
        ("/agents/carol/move", {"cost_centre": "research"}),
        ("/cost-centres/sales/move", {"parent": "research"}),
        ("/cost-centres/org/move", {"parent": None}),
        ("/cost-centres/sales/closure", {"agents_to": "research"}),
    ):
        assert_problem(carol.post(path, **asked, **more), 403, "own_place")
    assert CostCentre.objects.get(pk="sales").path == ["org", "sales"]


def test_a_key_that_was_lent_is_not_hidden(carol):
    for slug in ("key-1", "key-2"):
        add_key(slug)
    allocate("ada", provider="nvidia")
    used = ApiKey.objects.filter(allocations__isnull=False).get().pk
    unused = {"key-1": "key-2", "key-2": "key-1"}[used]
    assert_problem(carol.post(f"/keys/{used}/hiding", reason="x"), 409, "key_was_used")
    hidden = carol.post(f"/keys/{unused}/hiding", reason="mistyped").json()
    assert hidden["hidden_at"] and hidden["status"] == "inactive"
    shown = carol.post(f"/keys/{unused}/showing", reason="needed").json()
    assert shown == {"key_id": unused, "status": "inactive", "hidden_at": None}


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/agents/none/move", {"cost_centre": "sales"}, 404),
        ("/cost-centres/none/move", {"parent": "sales"}, 404),
        ("/cost-centres/none/closure", {}, 404),
        ("/keys/none/hiding", {}, 404),
        ("/cost-centres/research/move", {"parent": "none"}, 422),
        ("/cost-centres/research/move", {"parent": "research"}, 422),
        ("/cost-centres/research/move", {"parent": ""}, 422),
        ("/cost-centres/research/closure", {"agents_to": "research"}, 422),
        ("/agents/ada/move", {"cost_centre": "sales", "end_open_work": "yes"}, 422),
        ("/agents/ada/renaming", {"name": ""}, 422),
    ],
)
def test_what_does_not_exist_or_makes_no_sense_is_refused(carol, path, fields, status):
    assert carol.post(path, reason="x", **fields).status_code == status


def test_a_reason_is_needed(carol):
    assert carol.post("/cost-centres/research/closure", reason=" ").status_code == 422
    assert carol.post("/cost-centres/research/closure").status_code == 422
