"""What a session does over HTTP: usage, rotation, extension, end."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from keys import services as keys
from keys.models import Charge, Rotation
from tests.api.caller import Caller, assert_problem, session_caller, token_of
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(ada):
    """An allocation of 1,000 tokens, with a second key to go to; its path."""
    add_key("nvidia-1", priority=2)
    add_key("openai-1", provider="openai", rates=PAID, priority=1)
    lent = ada.post("/allocations", tokens=1000, auto_rotate=False).json()
    return f"/allocations/{lent['session_id']}"


def token_holder(session):
    """Who has the session token."""
    return session_caller(session.rpartition("/")[2])


def test_usage_is_recorded_and_answered_with_what_is_left(ada, session):
    fields = {"input_tokens": 100, "output_tokens": 50, "cached_tokens": 20, "reasoning_tokens": 5}
    response = ada.post(f"{session}/usage", **fields, model="model-2")
    said = response.json()
    assert response.status_code == 201
    assert (said["tokens"], said["model"], said["overrun"]) == (150, "model-2", False)
    assert (said["allocation"]["used"], said["allocation"]["left"]) == (150, 850)
    assert Charge.objects.get(pk=said["charge_id"]).cached_tokens == 20
    assert_books_balance()


def test_hour_long_writes_audio_and_images_are_recorded_and_summed_up(ada, session):
    fields = {"input_tokens": 100, "cache_write_tokens": 30, "cache_write_long_tokens": 20}
    fields |= {"audio_input_tokens": 10, "output_tokens": 50, "audio_output_tokens": 40}
    fields |= {"image_input_tokens": 60, "image_output_tokens": 7}
    said = ada.post(f"{session}/usage", **fields).json()
    assert {name: said[name] for name in fields} == fields
    totals = ada.get("/usage").json()["totals"]
    assert {name: totals[name] for name in fields} == fields
    assert totals["provider_cost"] is None
    (entry,) = ada.get("/history", action="charge.settle").json()["results"]
    assert {name: entry["after"][name] for name in fields} == fields


def test_a_total_alone_is_enough(ada, session):
    said = ada.post(f"{session}/usage", total_tokens=70).json()
    assert (said["tokens"], said["input_tokens"]) == (70, 0)


def test_a_report_costs_what_the_price_book_says(ada, session):
    ada.post(f"{session}/rotation")
    said = ada.post(f"{session}/usage", input_tokens=100, output_tokens=10).json()
    assert Decimal(said["cost"]) == Decimal("0.00045")


def test_the_same_report_twice_is_one(ada, session):
    first = ada.post(f"{session}/usage", total_tokens=10, idempotency_key="call-1")
    again = ada.post(f"{session}/usage", total_tokens=10, idempotency_key="call-1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again["Idempotent-Replay"] == "true"
    assert again.json()["charge_id"] == first.json()["charge_id"]
    other = ada.post(f"{session}/usage", total_tokens=11, idempotency_key="call-1")
    assert_problem(other, 409, "idempotency_mismatch")
    assert Charge.objects.count() == 1
    assert_books_balance()


def test_a_first_request_that_meets_the_next_window_is_no_replay(ada, session):
    # As when it waited for a lock across the reset: what it makes has the moment of the new window.
    keys.open_windows(now=timezone.now() + timedelta(days=1))
    used = ada.post(f"{session}/usage", total_tokens=10, idempotency_key="call-1")
    rotated = ada.post(f"{session}/rotation", idempotency_key="call-2")
    assert (used.status_code, rotated.status_code) == (201, 201)
    assert "Idempotent-Replay" not in used
    again = ada.post(f"{session}/usage", total_tokens=10, idempotency_key="call-1")
    assert (again.status_code, again["Idempotent-Replay"]) == (200, "true")
    assert_books_balance()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "invalid_request"),
        ({"cached_tokens": 5}, "invalid_request"),
        ({"total_tokens": 5, "input_tokens": 5}, "invalid_request"),
        ({"total_tokens": 5, "cached_tokens": 5}, "invalid_request"),
        ({"input_tokens": -1}, "invalid_request"),
        ({"input_tokens": 2**63}, "invalid_request"),
        ({"input_tokens": 1, "cached_tokens": 2}, "wrong_value"),
        ({"output_tokens": 1, "reasoning_tokens": 2}, "wrong_value"),
        ({"input_tokens": 10**12, "output_tokens": 10**12}, "wrong_value"),
    ],
)
def test_usage_that_cannot_be_is_422(ada, session, fields, code):
    assert_problem(ada.post(f"{session}/usage", **fields), 422, code)
    assert not Charge.objects.exists()


def test_more_than_was_lent_is_recorded_flagged_and_closes(ada, session):
    said = ada.post(f"{session}/usage", total_tokens=1500).json()
    assert said["overrun"]
    assert said["allocation"]["status"] == "exhausted"
    assert ada.post(f"{session}/usage", total_tokens=1).status_code == 201
    assert_books_balance()


def test_only_a_token_to_operate_reports_far_more_than_was_lent(ada, session):
    refused = assert_problem(
        ada.post(f"{session}/usage", total_tokens=10**12), 403, "report_too_large"
    )
    assert (refused["tokens_max"], refused["cost_max"]) == (17_384, "0.000000000")
    assert not Charge.objects.exists()
    operator = Caller(token_of("ada", "spend", "operate"))
    assert operator.post(f"{session}/usage", total_tokens=10**6).status_code == 201
    assert_books_balance()


def test_the_monitor_says_when_a_rotation_is_needed(ada, session):
    assert not ada.get(f"{session}/monitor").json()["rotation_needed"]
    ada.post(f"{session}/usage", total_tokens=750)
    watched = ada.get(f"{session}/monitor").json()
    assert watched["rotation_needed"]
    assert (watched["used"], watched["left"], watched["rotation_threshold"]) == (750, 250, 750)


def test_a_rotation_moves_what_is_left_to_the_best_other_key(ada, session):
    ada.post(f"{session}/usage", total_tokens=100)
    response = ada.post(f"{session}/rotation")
    moved = response.json()
    assert response.status_code == 201
    assert (moved["from_key_id"], moved["to_key_id"]) == ("nvidia-1", "openai-1")
    assert moved["moved_tokens"] == 900
    assert moved["allocation"]["key_id"] == "openai-1"
    assert_books_balance()


def test_the_same_rotation_twice_is_one(ada, session):
    first = ada.post(f"{session}/rotation", idempotency_key="turn")
    again = ada.post(f"{session}/rotation", idempotency_key="turn")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again["Idempotent-Replay"] == "true"
    assert Rotation.objects.count() == 1
    other = ada.post(f"{session}/rotation", key_id="nvidia-1", idempotency_key="turn")
    assert_problem(other, 409, "idempotency_mismatch")


def test_a_rotation_nobody_can_take_is_409_and_changes_nothing(ada, session):
    add_key("tiny-1", per_day=10)
    refused = ada.post(f"{session}/rotation", key_id="tiny-1")
    assert_problem(refused, 409, "rotation_refused")
    assert_problem(ada.post(f"{session}/rotation", key_id="nobody"), 404, "api_key_not_found")
    assert ada.get(session).json()["key_id"] == "nvidia-1"


def test_an_agent_names_no_key_that_is_dearer_than_what_was_lent(ada, session):
    refused = ada.post(f"{session}/rotation", key_id="openai-1")
    problem = assert_problem(refused, 409, "rotation_refused")
    assert "can cost more on the API key openai-1" in problem["detail"]
    add_key("nvidia-2")
    assert ada.post(f"{session}/rotation", key_id="nvidia-2").status_code == 201
    assert ada.post(f"{session}/rotation").json()["to_key_id"] == "nvidia-1"


def test_an_extension_lives_longer_and_never_shorter(ada, session):
    before = ada.get(session).json()["expires_at"]
    later = ada.post(f"{session}/extension", ttl_seconds=7200).json()["expires_at"]
    assert later > before
    assert ada.post(f"{session}/extension", ttl_seconds=1).json()["expires_at"] == later
    assert_problem(ada.post(f"{session}/extension"), 422, "invalid_request")


def test_completing_gives_back_and_twice_is_once(ada, session):
    for _ in range(2):
        assert ada.post(f"{session}/completion").json()["status"] == "completed"
    closed = assert_problem(ada.post(f"{session}/failure"), 409, "allocation_closed")
    assert closed["status"] == 409
    assert_problem(ada.post(f"{session}/rotation"), 409, "allocation_closed")
    assert_problem(ada.post(f"{session}/extension", ttl_seconds=9), 409, "allocation_closed")
    assert_books_balance()


def test_failing_says_why(ada, session):
    failed = ada.post(f"{session}/failure", reason="no luck").json()
    assert (failed["status"], failed["status_reason"]) == ("failed", "no luck")
    assert_problem(ada.post(f"{session}/failure", reason="x" * 301), 422, "invalid_request")


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("usage", {"total_tokens": 1}),
        ("rotation", {}),
        ("extension", {"ttl_seconds": 60}),
        ("completion", {}),
        ("failure", {}),
    ],
)
def test_a_session_is_changed_by_its_token_and_by_no_other_agent(ada, bob, session, action, fields):
    assert_problem(bob.post(f"{session}/{action}", **fields), 404, "allocation_not_found")
    assert token_holder(session).post(f"{session}/{action}", **fields).status_code < 300


def test_no_body_at_all_is_an_empty_one(ada, session):
    headers = ada.headers(None)
    response = ada.client.generic("POST", f"/api/v1{session}/completion", headers=headers)
    assert response.status_code == 200
