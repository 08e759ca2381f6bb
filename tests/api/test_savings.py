"""Savings by the API: whose, in which order, and what all of them save together."""

from decimal import Decimal

import pytest

from tests.api.caller import Caller, token_of
from tests.dashboard.test_savings import saving

pytestmark = pytest.mark.django_db


def subjects(caller, **query):
    """What the rows of a page are about."""
    return [row["subject"] for row in caller.get("/savings", **query).json()["results"]]


def test_an_agent_reads_its_own_and_operators_and_finance_all(ada, people):
    saving()
    saving("carol", "sales")
    saving(subject="key:idle-1", kind="idle_key", cost_centre="", advice="pause")
    assert subjects(ada) == ["agent:ada"]
    everything = ["key:idle-1", "agent:carol", "agent:ada"]
    for scope in ("operate", "finance"):
        caller = Caller(token_of("bob", scope))
        assert subjects(caller) == everything
        # Idle money is not spent.
        assert caller.get("/savings").json()["open_amount"] == "60.000000000"
    assert ada.get("/savings").json()["open_amount"] == "30.000000000"


def test_a_saving_has_its_interval_evidence_and_how_it_ended(ada):
    saving(spent={"ada|model": 50.0})
    saving(detail="old", status="dismissed", closed_at="2026-11-02T08:00:00Z", reason="no")
    answer = ada.get("/savings", status="open", kind="cheaper").json()
    (row,) = answer["results"]
    assert (row["amount_low"], row["amount"]) == ("20.000000000", "30.000000000")
    assert row["evidence"] == {"from_key": "nvidia-1", "to_key": "nvidia-2"}
    assert (row["advice"], row["closed_at"], answer["next_cursor"]) == ("switch", None, None)
    (gone,) = ada.get("/savings", status="dismissed").json()["results"]
    assert (gone["reason"], gone["closed_at"]) == ("no", "2026-11-02T08:00:00Z")


def test_pages_go_on_after_the_last_row_and_the_sum_is_of_all(ada):
    for n in range(3):
        saving(detail=f"{n}", amount=Decimal(30 + n), spent={"ada|model": 100.0})
    first = ada.get("/savings", limit=2).json()
    assert [row["detail"] for row in first["results"]] == ["2", "1"]
    second = ada.get("/savings", limit=2, cursor=first["next_cursor"]).json()
    assert [row["detail"] for row in second["results"]] == ["0"]
    # All three are about the same money.
    assert first["open_amount"] == second["open_amount"] == "32.000000000"
