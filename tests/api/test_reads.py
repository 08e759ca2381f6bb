"""What agents and operators read: estimates, keys, status, me, alerts, history, usage."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from keys import services as keys
from keys.alert_kinds import ROTATION_NEEDED
from keys.models import Agent, ApiKey, CostCentre
from tests.actors import ACTOR
from tests.api.caller import ROOT, assert_problem, session_caller
from tests.keys.builders import PAID, add_key, allocate, limit, report

pytestmark = pytest.mark.django_db

WORDS_150 = " ".join(["code", "integration", *["word"] * 148])


@pytest.fixture
def now():
    """The moment of a request: windows of today."""
    return timezone.now()


@pytest.fixture
def fleet(people, now):
    """A free key, a paid one, and one without a limit; ada and bob have used some."""
    add_key("nvidia-1", priority=9)
    add_key("openai-1", provider="openai", rates=PAID)
    add_key("sokosumi-1", provider="sokosumi", per_day=None)
    mine = allocate(tokens=1000, provider="openai", auto_rotate=False, now=now)
    report(mine, 800, now=now, output_tokens=10)
    theirs = allocate("bob", tokens=2000, now=now)
    report(theirs, 100, now=now)
    return mine, theirs


def upload(caller, content, content_type="text/markdown", **fields):
    """POST a file to /estimates."""
    file = SimpleUploadedFile("prd.md", content, content_type)
    return caller.client.post(
        f"{ROOT}/estimates", {"file": file, **fields}, headers=caller.headers(None)
    )


def test_a_forecast_without_settled_work_is_the_rules_and_says_so(ada):
    found = ada.post("/estimates", text=WORDS_150, model="gpt-5", label="report").json()["forecast"]
    assert (found["basis"], found["p50"], found["p90"], found["version"]) == (
        "rule",
        500,
        None,
        None,
    )
    assert (found["coverage"], found["coverage_rows"]) == (None, 0)
    assert "rule of words" in found["explanation"] and found["narrows"]


def test_a_text_and_the_same_text_as_a_file_are_estimated_alike(ada):
    inline = ada.post("/estimates", text=WORDS_150, provider="nvidia").json()
    assert (inline["estimated"], inline["confidence"], inline["base"]) == (500, 0.8, 200)
    assert inline["reasoning"]
    assert upload(ada, WORDS_150.encode()).json() == inline


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"", "text/plain", 422, "text_empty"),
        (b"a\0b", "text/plain", 422, "text_binary"),
        (b"\xff\xfe", "text/plain", 422, "text_not_utf8"),
        (b"a" * 1_000_001, "text/plain", 413, "text_too_large"),
        (b"%PDF", "application/pdf", 415, "unsupported_text_type"),
    ],
)
def test_a_file_that_is_no_text_is_refused_with_a_clear_code(
    ada, content, content_type, status, code
):
    assert_problem(upload(ada, content, content_type), status, code)


def test_an_upload_without_a_file_is_422(ada):
    headers = ada.headers(None)
    response = ada.client.post(f"{ROOT}/estimates", {"file": "text"}, headers=headers)
    assert_problem(response, 422, "invalid_request")
    assert_problem(upload(ada, b"x", surprise="y"), 422, "invalid_request")
    assert_problem(ada.post("/estimates"), 422, "invalid_request")


def test_keys_are_listed_by_name_with_what_is_free_and_no_secret(ada, fleet):
    listing = ada.get("/keys")
    rows = listing.json()["results"]
    assert [row["key_id"] for row in rows] == ["nvidia-1", "openai-1", "sokosumi-1"]
    assert [row["capacity"] for row in rows] == [998_000, 999_000, None]
    assert Decimal(rows[1]["output_cost"]) == Decimal("0.015")
    assert "secret" not in listing.text


def test_keys_are_filtered_and_paged(ada, fleet, now):
    keys.set_key_status("openai-1", status="inactive", reason="test", actor=ACTOR, now=now)
    assert names(ada.get("/keys", available="true")) == ["nvidia-1", "sokosumi-1"]
    assert names(ada.get("/keys", available="false")) == ["openai-1"]
    assert names(ada.get("/keys", provider="nvidia")) == ["nvidia-1"]
    assert names(ada.get("/keys", model="none")) == []
    first = ada.get("/keys", limit=2)
    assert names(first) == ["nvidia-1", "openai-1"]
    assert names(ada.get("/keys", limit=2, cursor=first.json()["next_cursor"])) == ["sokosumi-1"]


def names(response):
    """The keys in an answer."""
    return [row["key_id"] for row in response.json()["results"]]


def test_a_key_with_too_little_free_is_not_available(ada):
    add_key("tiny-1", per_day=10_000)
    assert names(ada.get("/keys", available="true")) == []


def test_an_operator_reports_that_a_provider_refused_a_key(carol, fleet):
    broken = carol.post("/keys/openai-1/refusal", status=401).json()
    assert (broken["key_id"], broken["status"]) == ("openai-1", "broken")
    cooling = carol.post("/keys/nvidia-1/refusal", status=429, retry_after_seconds=30).json()
    assert cooling["status"] == "cooling"
    assert cooling["cooling_until"] > timezone.now().isoformat()
    assert ApiKey.objects.get(pk="openai-1").status == "broken"
    assert_problem(carol.post("/keys/nobody/refusal", status=401), 404, "api_key_not_found")
    assert_problem(carol.post("/keys/nvidia-1/refusal", status=500), 422, "invalid_request")


def test_the_status_adds_up_by_provider_and_in_all(ada, fleet):
    said = ada.get("/status").json()
    openai, sokosumi = said["providers"]["openai"], said["providers"]["sokosumi"]
    assert (openai["count"], openai["capacity"], openai["used"]) == (1, 1_000_000, 810)
    assert (openai["committed"], openai["remaining"]) == (190, 999_000)
    assert Decimal(openai["cost_today"]) == Decimal("0.00255")
    assert (sokosumi["capacity"], sokosumi["remaining"], sokosumi["unlimited"]) == (None, None, 1)
    assert said["totals"] == {
        "count": 3,
        "lendable": 3,
        "unlimited": 1,
        "capacity": 2_000_000,
        "used": 910,
        "committed": 2090,
        "remaining": 1_997_000,
        "cost_today": "0.002550000",
    }


def test_the_status_has_the_cost_of_the_agent_alone_unless_it_operates(ada, bob, carol, fleet):
    costs = [caller.get("/status").json() for caller in (ada, bob, carol)]
    assert [said["totals"]["cost_today"] for said in costs] == [
        "0.002550000",
        "0.000000000",
        "0.002550000",
    ]
    assert costs[1]["providers"]["openai"]["cost_today"] == "0.000000000"
    assert costs[0]["totals"]["used"] == costs[1]["totals"]["used"] == 910


def test_the_status_of_no_keys_is_zero(ada):
    totals = ada.get("/status").json()["totals"]
    assert (totals["count"], totals["used"], totals["cost_today"]) == (0, 0, "0.000000000")
    assert totals["capacity"] is None


def test_me_says_what_i_may_still_spend_and_until_when(ada, fleet, now):
    limit(Agent.objects.get(pk="ada"), 5000, now=now)
    limit(CostCentre.objects.get(pk="org"), "10", unit="usd", period="total", now=now)
    said = ada.get("/me").json()
    assert (said["agent"], said["cost_centre"]) == ("ada", "research")
    assert said["scopes"] == ["read", "spend"]
    assert said["token_expires_at"] > now.isoformat()
    assert said["free_tokens"] == 4000
    assert 9 < Decimal(said["free_usd"]) < 10
    assert [row["scope"] for row in said["limits"]] == ["agent:ada", "centre:org"]
    assert (said["limits"][0]["used"], said["limits"][0]["committed"]) == ("810", "190")
    assert (said["limits"][0]["carried"], said["limits"][1]["carried"]) == ("0", "0.000000000")
    assert said["until"] == said["limits"][0]["resets_at"] > now.isoformat()
    assert said["limits"][1]["resets_at"] is None


def test_me_without_limits_is_unlimited(bob):
    said = bob.get("/me").json()
    assert (said["free_tokens"], said["free_usd"], said["until"]) == (None, None, None)


def test_an_agent_sees_the_alerts_of_its_sessions_and_an_operator_all(ada, bob, carol, fleet):
    (warning,) = ada.get("/alerts").json()["results"]
    assert warning["kind"] == ROTATION_NEEDED.slug
    assert (warning["meaning"], warning["remedy"]) == (
        ROTATION_NEEDED.meaning,
        ROTATION_NEEDED.remedy,
    )
    assert warning["session_id"] == fleet[0].session_id
    assert bob.get("/alerts").json()["results"] == []
    assert [row["id"] for row in carol.get("/alerts").json()["results"]] == [warning["id"]]
    assert carol.get("/alerts", severity="critical").json()["results"] == []
    assert carol.get("/alerts", status="open").json()["results"]


def test_an_operator_acknowledges_and_resolves(carol, fleet):
    (alert,) = carol.get("/alerts").json()["results"]
    path = f"/alerts/{alert['id']}"
    for note in ("mine", "again"):
        seen = carol.post(f"{path}/acknowledgement", note=note).json()
        assert (seen["status"], seen["acknowledged_note"]) == ("acknowledged", "mine")
    over = carol.post(f"{path}/resolution").json()
    assert (over["status"], over["resolved_by"]) == ("resolved", "agent:carol")
    assert_problem(carol.post(f"{path}/resolution"), 409, "alert_resolved")
    assert_problem(carol.post("/alerts/999999/resolution"), 404, "alert_not_found")
    assert_problem(carol.post(f"/alerts/{10**40}/resolution"), 404, "alert_not_found")


def test_an_operator_snoozes_an_alert_until_a_moment(carol, fleet):
    (alert,) = carol.get("/alerts").json()["results"]
    path, until = f"/alerts/{alert['id']}/snooze", timezone.now() + timedelta(hours=1)
    for note in ("later", "again"):
        aside = carol.post(path, until=until.isoformat(), note=note).json()
        assert (aside["status"], aside["snoozed_by"]) == ("open", "agent:carol")
        assert aside["snoozed_note"] == "later"
        assert datetime.fromisoformat(aside["snoozed_until"]) == until
    other = (until + timedelta(hours=1)).isoformat()
    assert_problem(carol.post(path, until=other), 409, "alert_snoozed")
    past = (until - timedelta(days=1)).isoformat()
    assert_problem(carol.post(path, until=past), 422, "snooze_out_of_range")
    assert_problem(carol.post(path), 422, "invalid_request")


def test_history_merges_changes_and_usage_newest_first_page_by_page(carol, fleet):
    whole = carol.get("/history", limit=200).json()["results"]
    assert {"allocation.create", "charge.settle", "limit.set"} <= {row["action"] for row in whole}
    assert [row["at"] for row in whole] == sorted((row["at"] for row in whole), reverse=True)
    paged, cursor = [], {}
    while True:
        page = carol.get("/history", limit=3, **cursor).json()
        paged += page["results"]
        if not page["next_cursor"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert paged == whole
    assert len({row["id"] for row in paged}) == len(paged)


def test_history_is_filtered(ada, bob, carol, fleet, now):
    mine, theirs = fleet
    (used,) = ada.get("/history", action="charge.settle").json()["results"]
    assert used["session_id"] == mine.session_id
    assert (used["after"]["tokens"], used["after"]["cost"]) == (810, "0.002550000")
    rows = carol.get("/history", session_id=theirs.session_id).json()["results"]
    assert {row["action"] for row in rows} == {"allocation.create", "charge.settle"}
    assert bob.get("/history", session_id=mine.session_id).json()["results"] == []
    assert {row["agent"] for row in ada.get("/history").json()["results"]} == {"ada"}
    about_key = carol.get("/history", key_id="openai-1").json()["results"]
    assert {row["session_id"] or row["subject"] for row in about_key} == {
        "key:openai-1",
        mine.session_id,
    }
    later = (now + timedelta(seconds=1)).isoformat()
    assert carol.get("/history", since=later, action="charge.settle").json()["results"] == []
    assert len(carol.get("/history", until=later, action="charge.settle").json()["results"]) == 2
    assert_problem(carol.get("/history", since="yesterday"), 422, "invalid_request")


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("provider", ["nvidia", "openai"]),
        ("model", ["model-1"]),
        ("key", ["nvidia-1", "openai-1"]),
        ("agent", ["ada", "bob"]),
        ("cost_centre", ["research"]),
    ],
)
def test_usage_is_grouped_and_adds_up(carol, fleet, by, groups):
    said = carol.get("/usage", group_by=by).json()
    assert [row["group"] for row in said["groups"]] == groups
    assert said["totals"]["tokens"] == 910 == sum(row["tokens"] for row in said["groups"])
    assert said["totals"]["cost"] == "0.002550000"
    assert (said["totals"]["calls"], said["group_by"]) == (2, by)


def test_usage_by_day_and_session(carol, fleet, now):
    assert [row["group"] for row in carol.get("/usage", group_by="day").json()["groups"]] == [
        now.date().isoformat()
    ]
    first = carol.get("/usage", group_by="session", limit=1).json()
    second = carol.get("/usage", group_by="session", limit=1, cursor=first["next_cursor"]).json()
    found = [first["groups"][0]["group"], second["groups"][0]["group"]]
    assert found == sorted(row.session_id for row in fleet)
    assert second["next_cursor"] is None


def test_usage_is_filtered(ada, carol, fleet, now):
    later = (now + timedelta(seconds=1)).isoformat()

    def tokens(**query):
        return carol.get("/usage", **query).json()["totals"]["tokens"]

    assert tokens(provider="openai") == tokens(key_id="openai-1") == tokens(agent="ada") == 810
    assert tokens(cost_centre="org") == tokens(cost_centre="research") == 910
    assert tokens(cost_centre="sales") == tokens(since=later) == 0
    assert tokens(until=later, session_id=fleet[1].session_id) == 100
    assert ada.get("/usage").json()["totals"]["tokens"] == 810
    assert_problem(ada.get("/usage", agent="bob"), 403, "scope_missing")


def test_a_session_reads_itself(fleet):
    mine = fleet[0].session_id
    assert session_caller(mine).get(f"/allocations/{mine}").json()["used"] == 810
