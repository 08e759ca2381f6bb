"""A client without budget is told so once, in words that it does not take for a passing failure."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from common.ids import random_id
from gateway.error_responses import refusal_response
from keys.refusals import AllocationClosed, AllocationExhausted

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
# What clients look for in the words of an error before they ask again: pi, smolagents, litellm;
# opencode in the whole body.
RETRIED = re.compile(
    r"[45]\d\d|rate.?limit|overloaded|too many requests|service.?unavailable|server error"
    r"|timed? ?out|connection.?error|fetch failed|terminated|retry delay",
    re.IGNORECASE,
)


def exhausted(**changes):
    facts = {
        "session_id": "ses-1",
        "allocated": 60_000,
        "used": 10,
        "held": 0,
        "left": 59_990,
        "needed": 61_000,
        "starts_at": NOON,
        "ends_at": NOON,
    }
    return AllocationExhausted(**{**facts, **changes})


def answer(refusal, wire_format="openai", **options):
    status, headers, body = refusal_response(
        refusal, wire_format=wire_format, request_id="req_1", **options
    )
    return status, dict(headers), json.loads(body)


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
def test_the_default_is_400_with_the_words_of_the_wire_format(wire_format):
    status, headers, body = answer(exhausted(), wire_format)
    assert status == 400
    assert headers[b"x-should-retry"] == b"false"
    assert b"retry-after" not in headers
    if wire_format == "openai":
        assert (body["error"]["type"], body["error"]["code"]) == ("insufficient_quota",) * 2
    else:
        assert body["error"]["type"] == "billing_error"


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
@pytest.mark.parametrize("status", [400, 402, 403, 422, 429])
def test_the_allocation_chooses_another_status(status, wire_format):
    assert answer(exhausted(), wire_format, status=status)[0] == status


@pytest.mark.parametrize(
    ("number", "reads"),
    [
        (0, "0 tokens"),
        (399, "399 tokens"),
        (400, "about 0.4 thousand tokens"),
        (429, "about 0.4 thousand tokens"),
        (500, "about 0.5 thousand tokens"),
        (503, "about 0.5 thousand tokens"),
        (600, "600 tokens"),
        (1_500, "about 1.5 thousand tokens"),
        (50_342, "50,342 tokens"),
        (50_429, "about 50.4 thousand tokens"),
        (429_000, "about 0.4 million tokens"),
        (12_500_000, "about 12.5 million tokens"),
        (500_123_456, "about 0.5 billion tokens"),
        (1_000_000_000_000, "1,000,000,000,000 tokens"),
    ],
)
def test_a_number_that_looks_like_a_status_is_rounded(number, reads):
    _, headers, body = answer(exhausted(left=number))
    assert body["error"]["message"].startswith(f"{reads} are left;")
    assert headers[b"x-butler-tokens-left"] == str(number).encode()


@pytest.mark.parametrize("field", ["allocated", "used", "held", "left", "needed"])
@pytest.mark.parametrize("number", [400, 429, 502, 504, 529, 4_500, 15_429, 429_503, 5_004_000])
@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
def test_no_number_in_the_body_looks_like_a_status(wire_format, field, number):
    _, headers, body = answer(exhausted(**{field: number}), wire_format)
    assert not RETRIED.search(json.dumps(body))
    assert headers[f"x-butler-tokens-{field}".encode()] == str(number).encode()


@pytest.mark.parametrize(
    "session_id", ["429", "ses-503a429", "a5000", "ses-4455444", "5.429-500", "x", "ses-54a4b44"]
)
def test_the_link_is_the_page_of_the_allocation_without_what_looks_like_a_status(session_id):
    refusal = exhausted(session_id=session_id)
    body = answer(refusal)[2]
    assert not RETRIED.search(json.dumps(body))
    facts = body["butler"]
    assert body["error"]["message"].endswith(f" {facts['link']}")
    assert unquote(facts["link"]).endswith(f"/admin/keys/allocation/?q={session_id}")
    assert unquote(facts["api_url"]).endswith(f"/api/v1/allocations/{session_id}")


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
def test_the_message_says_where_a_person_asks_for_more(wire_format):
    body = answer(exhausted(needed=429), wire_format)[2]
    page = body["butler"]["ask_page"]
    assert unquote(page).endswith("/budget-requests/new?session=ses-1&needed=429")
    assert f" {page} " in body["error"]["message"]
    assert not RETRIED.search(json.dumps(body))


def test_no_part_of_a_random_id_looks_like_a_status():
    ids = {random_id("req_") for _ in range(500)}
    assert len(ids) == 500
    assert not [each for each in ids if RETRIED.search(each)]


@pytest.mark.parametrize("status", ["completed", "failed", "expired", "exhausted"])
def test_a_closed_allocation_is_said_in_the_same_way(status):
    facts = exhausted(used=60_429).facts()
    facts |= {"starts_at": NOON, "ends_at": NOON}
    code, headers, body = answer(AllocationClosed(status=status, **facts))
    assert (code, headers[b"x-should-retry"]) == (400, b"false")
    assert body["error"]["message"].startswith(f"The allocation is {status}.")
    assert not RETRIED.search(body["error"]["message"])
