"""Lending over HTTP."""

from decimal import Decimal

import pytest

from keys.identity.queries.credentials import session_token
from keys.models import Agent, Allocation
from security.models import AuditEntry
from tests.api.caller import Caller, assert_problem, session_caller, token_of
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, limit

pytestmark = pytest.mark.django_db


def test_a_lent_budget_says_all_that_a_session_needs(ada, settings):
    add_key("openai-1", provider="openai", rates=PAID)
    response = ada.post("/allocations", tokens=100_000)
    lent = response.json()
    assert response.status_code == 201
    assert lent["session_token"] == session_token(lent["session_id"])
    assert lent["base_url"] == f"{settings.PUBLIC_URL}/v1"
    assert (lent["key_id"], lent["provider"], lent["model"]) == ("openai-1", "openai", "model-1")
    assert (lent["allocated"], lent["used"], lent["held"]) == (100_000, 0, 0)
    assert (lent["rotation_threshold"], lent["available_capacity"]) == (75_000, 1_000_000)
    assert Decimal(lent["cost_estimate"]) == Decimal("1.5")
    assert (lent["status"], lent["provider_expanded"]) == ("active", False)
    assert Allocation.objects.get(session_id=lent["session_id"]).agent_id == "ada"


def test_a_label_says_what_the_budget_is_for(ada):
    add_key("openai-1")
    lent = ada.post("/allocations", tokens=1_000, label="invoice-check", idempotency_key="once")
    assert lent.json()["label"] == "invoice-check"
    session_id = lent.json()["session_id"]
    ada.post(f"/allocations/{session_id}/usage", input_tokens=50, output_tokens=0)
    (group,) = ada.get("/usage", group_by="label").json()["groups"]
    assert (group["group"], group["tokens"]) == ("invoice-check", 50)
    other = ada.post("/allocations", tokens=1_000, label="other", idempotency_key="once")
    assert_problem(other, 409, "idempotency_mismatch")
    assert ada.post("/allocations", tokens=1_000).json()["label"] == ""


@pytest.mark.parametrize("label", ["task:7", "", "x" * 101, 7])
def test_an_agent_cannot_use_the_label_of_a_task_or_no_label_at_all(ada, label):
    add_key("openai-1")
    assert_problem(ada.post("/allocations", tokens=1_000, label=label), 422, "invalid_request")


def test_the_audit_says_which_request_lent_and_closed_and_whose_it_was(ada):
    add_key("openai-1")
    lent = ada.post("/allocations", tokens=1_000)
    session_id = lent.json()["session_id"]
    closed = session_caller(session_id).post(f"/allocations/{session_id}/completion")
    entries = AuditEntry.objects.about(f"session:{session_id}").order_by("id")
    assert [(entry.action, entry.actor, entry.address, entry.request_id) for entry in entries] == [
        ("allocation.create", "agent:ada", "127.0.0.1", lent["X-Request-Id"]),
        ("allocation.close", "agent:ada", "127.0.0.1", closed["X-Request-Id"]),
    ]


def test_a_key_without_a_limit_has_null_capacity(ada):
    add_key("sokosumi-1", per_day=None)
    assert ada.post("/allocations", tokens=5).json()["available_capacity"] is None


def test_a_text_is_estimated_and_lent(ada):
    add_key("nvidia-1")
    text = " ".join(["implement", "integration", *["word"] * 148])
    assert ada.post("/allocations", text=text).json()["allocated"] == 500


def test_the_same_idempotency_key_is_answered_again_with_the_secret(ada):
    add_key("nvidia-1")
    first = ada.post("/allocations", tokens=5, idempotency_key="once")
    again = ada.post("/allocations", tokens=5, idempotency_key="once")
    assert (first.status_code, again.status_code) == (201, 200)
    assert "Idempotent-Replay" not in first
    assert again["Idempotent-Replay"] == "true"
    assert again.json() == first.json()
    other = ada.post("/allocations", tokens=6, idempotency_key="once")
    assert_problem(other, 409, "idempotency_mismatch")


def test_the_session_token_is_shown_by_nothing_else(ada):
    add_key("nvidia-1")
    lent = ada.post("/allocations", tokens=1000).json()
    path = f"/allocations/{lent['session_id']}"
    answers = [
        ada.get("/allocations"),
        ada.get(path),
        ada.get(f"{path}/decision"),
        ada.get(f"{path}/monitor"),
        ada.post(f"{path}/usage", input_tokens=1, output_tokens=1),
        ada.post(f"{path}/extension", ttl_seconds=60),
        ada.post(f"{path}/completion"),
    ]
    for answer in answers:
        assert answer.status_code < 300, answer.content
        assert lent["session_token"] not in answer.text
        assert "bs_" not in answer.text


def test_want_of_capacity_is_402_and_not_to_be_retried(ada):
    add_key("nvidia-1", per_day=50_000)
    response = ada.post("/allocations", tokens=60_000)
    body = assert_problem(response, 402, "no_key_capacity")
    assert response["x-should-retry"] == "false"
    assert body["alternatives"] == [
        {"key_id": "nvidia-1", "provider": "nvidia", "capacity": 50_000}
    ]
    assert body["windows"][0]["scope"] == "key:nvidia-1"
    assert body["next_reset"]


def test_a_reached_limit_is_402_and_says_which(ada):
    add_key("nvidia-1")
    limit(Agent.objects.get(pk="ada"), 10)
    body = assert_problem(ada.post("/allocations", tokens=11), 402, "limit_reached")
    assert body["windows"][0]["limit"] == "agent:ada tokens per day"


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({}, "invalid_request", "#"),
        ({"tokens": 5, "text": "both"}, "invalid_request", "#"),
        ({"tokens": 0}, "invalid_request", "#/tokens"),
        ({"tokens": 10**30}, "invalid_request", "#/tokens"),
        ({"tokens": "5"}, "invalid_request", "#/tokens"),
        ({"tokens": True}, "invalid_request", "#/tokens"),
        ({"tokens": 1.5}, "invalid_request", "#/tokens"),
        ({"tokens": None}, "invalid_request", "#/tokens"),
        ({"tokens": 5, "ttl_second": 5}, "invalid_request", "#/ttl_second"),
        ({"tokens": 5, "ttl_seconds": -1}, "invalid_request", "#/ttl_seconds"),
        ({"tokens": 5, "auto_rotate": "yes"}, "invalid_request", "#/auto_rotate"),
        ({"tokens": 5, "provider": "a\0b"}, "invalid_request", "#/provider"),
        ({"tokens": 5, "model": "a\0b"}, "invalid_request", "#/model"),
        ({"tokens": 5, "model": "\ud800"}, "invalid_request", "#/model"),
        ({"tokens": 5, "\ud800/~": 1}, "invalid_request", "#/\ud800~1~0"),
        ({"tokens": 5, "model": "none"}, "model_not_found", None),
        ({"tokens": 5, "cost_centre": "sales"}, "cost_centre_not_found", None),
        ({"tokens": 2_000_000, "provider": "nobody"}, "provider_not_found", None),
        ({"text": " "}, "text_empty", None),
        ({"text": "a\0"}, "text_binary", None),
        ({"text": "a\ud800"}, "text_not_utf8", None),
    ],
)
def test_what_cannot_be_is_422_and_says_where(ada, fields, code, pointer):
    add_key("nvidia-1")
    body = assert_problem(ada.post("/allocations", **fields), 422, code)
    if pointer:
        assert {fault["pointer"] for fault in body["errors"]} == {pointer}
    assert not Allocation.objects.exists()


def test_a_text_beyond_a_megabyte_is_413(ada):
    assert_problem(ada.post("/allocations", text="a" * 1_000_001), 413, "text_too_large")


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "a\tb"])
def test_an_idempotency_key_is_short_and_printable(ada, key):
    add_key("nvidia-1")
    response = ada.post("/allocations", tokens=5, idempotency_key=key)
    body = assert_problem(response, 422, "invalid_request")
    assert body["errors"][0]["parameter"] == "Idempotency-Key"


def test_own_allocations_are_listed_page_by_page_newest_first(ada, bob):
    add_key("nvidia-1")
    made = [ada.post("/allocations", tokens=5).json()["id"] for _ in range(5)]
    bob.post("/allocations", tokens=5)
    seen, cursor = [], {}
    while True:
        answer = ada.get("/allocations", limit=2, **cursor).json()
        seen += [row["id"] for row in answer["results"]]
        assert len(answer["results"]) <= 2
        if not answer["next_cursor"]:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert seen == made[::-1]


def test_allocations_are_filtered_by_status(ada):
    add_key("nvidia-1")
    done, live = (ada.post("/allocations", tokens=5).json() for _ in range(2))
    ada.post(f"/allocations/{done['session_id']}/completion")
    for status, lent in (("completed", done), ("active", live)):
        (row,) = ada.get("/allocations", status=status).json()["results"]
        assert row["session_id"] == lent["session_id"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": "many"},
        {"cursor": "x"},
        {"cursor": "é"},
        {"cursor": "WyJhIl0"},
        {"cursor": "WzFlOTld"},
        {"cursor": "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OV0"},
        {"status": "open"},
        {"stauts": "active"},
    ],
)
def test_a_wrong_parameter_is_422_and_named(ada, query):
    body = assert_problem(ada.get("/allocations", **query), 422, "invalid_request")
    assert [fault["parameter"] for fault in body["errors"]] == list(query)


def test_an_allocation_is_its_agents_its_sessions_and_operators(ada, bob, carol):
    add_key("nvidia-1")
    session = ada.post("/allocations", tokens=5).json()["session_id"]
    for path in ("", "/decision", "/monitor"):
        whole = f"/allocations/{session}{path}"
        for reader in (ada, carol, session_caller(session)):
            assert reader.get(whole).json()["session_id"] == session
        assert_problem(bob.get(whole), 404, "allocation_not_found")
    other = bob.post("/allocations", tokens=5).json()["session_id"]
    response = session_caller(other).get(f"/allocations/{session}")
    assert_problem(response, 404, "allocation_not_found")


def test_operating_is_no_right_to_change_anothers_session(ada, carol):
    add_key("nvidia-1")
    session = ada.post("/allocations", tokens=5).json()["session_id"]
    for action in ("completion", "rotation", "failure"):
        response = carol.post(f"/allocations/{session}/{action}")
        assert_problem(response, 404, "allocation_not_found")


def test_the_decision_says_why_each_key_won_or_lost(ada):
    add_key("nvidia-1", priority=1)
    add_key("nvidia-2", priority=2)
    session = ada.post("/allocations", tokens=5).json()["session_id"]
    decision = ada.get(f"/allocations/{session}/decision").json()
    assert decision["chosen_key_id"] == "nvidia-2"
    assert [row["verdict"] for row in decision["candidates"]] == ["chosen", "lower_priority"]


def test_only_a_token_that_spends_lends(people):
    reader = Caller(token_of("ada", "read"))
    add_key("nvidia-1")
    assert_problem(reader.post("/allocations", tokens=5), 403, "scope_missing")
    spender = Caller(token_of("ada", "spend"))
    assert spender.post("/allocations", tokens=5).status_code == 201
    assert_problem(spender.get("/allocations"), 403, "scope_missing")
    assert_books_balance()
