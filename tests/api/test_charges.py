"""Charges: what each call cost, for the tokens that may see it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from keys import services as keys
from keys.models import Charge
from tests.api.caller import Caller, assert_problem, session_caller, token_of
from tests.keys.builders import PAID, add_key, adjust, allocate, hold, report, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    """The moment of the calls."""
    return timezone.now()


@pytest.fixture
def fleet(people, now):
    """Ada has a session on each of two keys, bob has one."""
    add_key("nvidia-1", priority=9)
    add_key("openai-1", provider="openai", rates=PAID)
    paid = allocate(tokens=10_000, provider="openai", now=now)
    free = allocate(tokens=10_000, provider="nvidia", now=now)
    theirs = allocate("bob", tokens=2000, provider="nvidia", now=now)
    return paid, free, theirs


def ids(response):
    """The charges in an answer."""
    return [row["id"] for row in response.json()["results"]]


def test_a_charge_says_everything_of_its_call(ada, fleet, now):
    paid = fleet[0]
    charge = hold(paid, 500, idempotency_key="call-of-ada", model="gpt-4o", now=now)
    usage = keys.Usage(
        input_tokens=100,
        cached_tokens=10,
        cache_write_tokens=20,
        cache_write_long_tokens=5,
        audio_input_tokens=7,
        output_tokens=40,
        reasoning_tokens=30,
        audio_output_tokens=3,
        image_input_tokens=8,
        image_output_tokens=4,
        web_searches=2,
        search_kind="low",
    )
    ending = keys.Settlement(
        charge, "settled", usage, "provider", Decimal("0.25"), "req-of-provider", "flex"
    )
    keys.end_many([ending], now=now)
    said = ada.get(f"/charges/{charge.pk}").json()
    moments = {name: said.pop(name) for name in ("created_at", "expires_at", "settled_at")}
    costs = {name: Decimal(said.pop(name)) for name in ("held_cost", "cost", "provider_cost")}
    assert said == {
        "id": charge.pk,
        "status": "settled",
        "basis": "provider",
        "route": "",
        "model": "gpt-4o",
        "asked_model": "",
        "key_id": "openai-1",
        "agent": "ada",
        "cost_centre": "research",
        "session_id": paid.session_id,
        "held_tokens": 500,
        "input_tokens": 100,
        "cached_tokens": 10,
        "cache_write_tokens": 20,
        "cache_write_long_tokens": 5,
        "audio_input_tokens": 7,
        "output_tokens": 40,
        "reasoning_tokens": 30,
        "audio_output_tokens": 3,
        "image_input_tokens": 8,
        "image_output_tokens": 4,
        "web_searches": 2,
        "search_kind": "low",
        "tokens": 140,
        "provider_request_id": "req-of-provider",
        "service_tier": "flex",
        "overrun": False,
        "idempotency_key": "call-of-ada",
        "adjustments": [],
    }
    row = Charge.objects.get(pk=charge.pk)
    assert costs == {name: getattr(row, name) for name in costs}
    assert costs["cost"] > 0 and costs["provider_cost"] == Decimal("0.25")
    assert moments["created_at"] == moments["settled_at"] < moments["expires_at"]


def test_a_call_that_runs_is_held_and_costs_nothing_yet(ada, fleet, now):
    charge = hold(fleet[0], 500, now=now)
    said = ada.get(f"/charges/{charge.pk}").json()
    assert (said["status"], said["held_tokens"], said["tokens"]) == ("held", 500, 0)
    assert Decimal(said["held_cost"]) == charge.held_cost > 0
    assert (said["settled_at"], said["provider_cost"]) == (None, None)
    settle(charge, 20, now=now)
    assert ada.get(f"/charges/{charge.pk}").json()["tokens"] == 20


def test_a_charge_says_how_it_was_adjusted_and_usage_counts_it(ada, fleet, now):
    charge = report(fleet[0], 400, now=now)
    adjustment = adjust(charge, 100, now=now, output_tokens=20)
    said = ada.get(f"/charges/{charge.pk}").json()
    assert (said["tokens"], Decimal(said["cost"])) == (400, charge.cost)
    (adjusted,) = said["adjustments"]
    assert (adjusted["id"], adjusted["reason"]) == (adjustment.pk, "as billed")
    assert (adjusted["tokens"], adjusted["input_tokens"], adjusted["output_tokens"]) == (
        -280,
        -300,
        20,
    )
    assert Decimal(adjusted["cost"]) == adjustment.cost < 0
    totals = ada.get("/usage", group_by="key").json()["totals"]
    assert (totals["calls"], totals["tokens"]) == (1, 120)
    assert Decimal(totals["cost"]) == charge.cost + adjustment.cost
    (entry,) = ada.get("/history", action="charge.adjust").json()["results"]
    assert entry["before"]["tokens"] == 400 and entry["after"]["tokens"] == 120
    assert Decimal(ada.get("/status").json()["totals"]["cost_today"]) == Decimal(totals["cost"])


def test_an_agent_sees_its_own_charges_an_operator_all(ada, bob, carol, fleet, now):
    mine, theirs = report(fleet[0], 10, now=now), report(fleet[2], 20, now=now)
    assert ids(ada.get("/charges")) == [mine.pk]
    assert ids(bob.get("/charges")) == [theirs.pk]
    assert ids(carol.get("/charges")) == [theirs.pk, mine.pk]
    assert carol.get(f"/charges/{mine.pk}").json()["agent"] == "ada"
    assert_problem(bob.get(f"/charges/{mine.pk}"), 404, "charge_not_found")
    assert ids(bob.get("/charges", session_id=fleet[0].session_id)) == []


def test_a_session_sees_its_own_charges_only(fleet, now):
    paid, free, _ = fleet
    mine, other = report(paid, 10, now=now), report(free, 20, now=now)
    session = session_caller(paid.session_id)
    assert ids(session.get("/charges")) == [mine.pk]
    assert session.get(f"/charges/{mine.pk}").json()["id"] == mine.pk
    assert ids(session.get("/charges", session_id=free.session_id)) == []
    assert_problem(session.get(f"/charges/{other.pk}"), 404, "charge_not_found")


def test_charges_are_filtered(ada, fleet, now):
    paid, free, _ = fleet
    early = report(paid, 10, now=now - timedelta(hours=2))
    late = report(free, 20, now=now)
    runs = hold(free, 30, now=now)
    for asked, found in (
        ({"session_id": paid.session_id}, [early]),
        ({"key_id": "nvidia-1"}, [runs, late]),
        ({"status": "held"}, [runs]),
        ({"status": "settled"}, [late, early]),
        ({"status": "released"}, []),
        ({"since": now.isoformat()}, [runs, late]),
        ({"until": now.isoformat()}, [early]),
        ({"key_id": "nvidia-1", "status": "settled"}, [late]),
    ):
        assert ids(ada.get("/charges", **asked)) == [charge.pk for charge in found], asked
    for wrong in ({"status": "paid"}, {"since": "yesterday"}, {"agent": "bob"}, {"cursor": "x"}):
        assert_problem(ada.get("/charges", **wrong), 422, "invalid_request")


def test_pages_continue_where_the_previous_one_ended_although_rows_were_added(ada, fleet, now):
    first, second, third = (report(fleet[0], tokens, now=now) for tokens in (1, 2, 3))
    page = ada.get("/charges", limit=2)
    assert ids(page) == [third.pk, second.pk]
    report(fleet[0], 4, now=now)
    rest = ada.get("/charges", limit=2, cursor=page.json()["next_cursor"])
    assert ids(rest) == [first.pk]
    assert rest.json()["next_cursor"] is None


def test_a_page_of_many_charges_is_read_in_as_many_queries_as_one(ada, fleet, now):
    report(fleet[0], 1, now=now)
    ada.get("/charges")
    with CaptureQueriesContext(connection) as of_one:
        ada.get("/charges")
    for n in range(6):
        report(fleet[n % 2], 1, now=now)
    with CaptureQueriesContext(connection) as of_many:
        assert len(ids(ada.get("/charges"))) == 7
    assert len(of_many) == len(of_one)


@pytest.mark.parametrize("charge_id", ["0", "999999", str(10**40)])
def test_a_charge_that_is_not_there_is_404(ada, charge_id):
    assert_problem(ada.get(f"/charges/{charge_id}"), 404, "charge_not_found")


def test_a_token_that_may_only_spend_reads_no_charges(fleet):
    assert_problem(Caller(token_of("ada", "spend")).get("/charges"), 403, "scope_missing")
    assert_problem(Caller(None).get("/charges"), 401, "not_authenticated")
