"""Freeze and thaw by the API."""

import pytest

from keys.models import Freeze
from tests.api.caller import Caller, assert_problem, token_of
from tests.keys.builders import add_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(people):
    """Operates, as bob."""
    return Caller(token_of("bob", "operate"))


def freeze(caller, scope="agent:ada", **fields):
    """The freeze of a scope."""
    return caller.post("/freezes", scope=scope, reason="leaked", **fields)


def test_an_operator_freezes_and_another_one_thaws(ada, carol, operator):
    add_key("key-1")
    response = freeze(carol)
    assert response.status_code == 201
    frozen = response.json()
    assert (frozen["scope"], frozen["mode"], frozen["reason"]) == ("agent:ada", "cut", "leaked")
    assert (frozen["frozen_by"], frozen["thawed_by"], frozen["thawed_at"]) == (
        "agent:carol",
        "",
        None,
    )
    problem = assert_problem(ada.post("/allocations", tokens=1_000), 403, "frozen")
    assert problem["scope"] == "agent:ada"
    assert "carol" not in problem["detail"]
    path = f"/freezes/{frozen['id']}/thaw"
    assert_problem(carol.post(path, reason="settled"), 403, "own_freeze")
    thawed = operator.post(path, reason="settled").json()
    assert (thawed["thawed_by"], thawed["thaw_reason"]) == ("agent:bob", "settled")
    assert operator.post(path, reason="again").json() == thawed
    assert ada.post("/allocations", tokens=1_000).status_code == 201


def test_what_is_frozen_stays_and_the_lists_tell_it(carol, operator):
    first = freeze(carol, mode="drain")
    again = freeze(operator, mode="drain")
    assert (again.status_code, again.json()) == (200, first.json())
    assert freeze(operator).json()["mode"] == "cut"
    other = freeze(carol, "centre:sales").json()["id"]
    # An operator that is frozen itself cannot thaw, nor list less.
    assert_problem(carol.post(f"/freezes/{first.json()['id']}/thaw", reason="x"), 403, "own_freeze")
    operator.post(f"/freezes/{other}/thaw", reason="settled")
    listed = {
        query: [row["scope"] for row in carol.get("/freezes", **query_of).json()["results"]]
        for query, query_of in {"all": {}, "now": {"frozen": True}, "no": {"frozen": False}}.items()
    }
    assert listed == {
        "all": ["centre:sales", "agent:ada"],
        "now": ["agent:ada"],
        "no": ["centre:sales"],
    }


@pytest.mark.parametrize(
    ("scope", "status", "code"),
    [
        ("key:none", 404, "api_key_not_found"),
        ("provider:none", 422, "provider_not_found"),
        ("agent:none", 404, "agent_not_found"),
        ("centre:none", 422, "cost_centre_not_found"),
        ("session:ses-1", 422, "wrong_value"),
    ],
)
def test_what_does_not_exist_is_refused(carol, scope, status, code):
    assert_problem(freeze(carol, scope), status, code)
    assert not Freeze.objects.exists()


def test_a_freeze_that_does_not_exist_is_not_thawed(carol):
    assert_problem(carol.post("/freezes/1/thaw", reason="none"), 404, "freeze_not_found")


@pytest.mark.parametrize("scope", ["key:key-1", "provider:nvidia"])
def test_a_frozen_key_is_listed_as_frozen_and_counts_as_none(ada, carol, scope):
    add_key("key-1")
    freeze(carol, scope)
    (key,) = ada.get("/keys").json()["results"]
    assert (key["status"], key["available"]) == ("frozen", False)
    assert ada.get("/keys", available="true").json()["results"] == []
    assert ada.get("/status").json()["totals"]["lendable"] == 0
