"""What providers say when they refuse, in their own shapes: what is read from it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.provider_errors import About, ProviderError, read_answer, read_error

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted((Path(__file__).parent / "data" / "provider_errors").glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]


def read(status=429, body="", **headers) -> ProviderError:
    """An answer with a body: an object or a text."""
    raw = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_answer(status=status, headers=named, body=raw.encode(), now=NOW)


@pytest.mark.parametrize("case", CASES)
def test_an_error_of_a_provider_means_what_its_fixture_says(case):
    if case["status"] == 200:
        found = read_error(case["body"], headers=case["headers"], now=NOW)
    else:
        headers = {name.replace("-", "_"): value for name, value in case["headers"].items()}
        found = read(case["status"], case["body"], **headers)
    said = {"wait_seconds": None, "affordable_output_tokens": None, "context_tokens": None}
    expected = {**said, "unknown_field": None, **case["expected"]}
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "Sat, 28 Nov 2026 12:20:00 GMT"}, 1200),
        ({"retry-after": "2026-11-28T12:00:30Z"}, 30),
        ({"retry-after": "1m30s"}, 90),
        ({"retry-after": "1795867230"}, 30),
        ({"Retry-After-Ms": "1500"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"x-ratelimit-reset-requests": "1m30s"}, 90),
        ({"x-ratelimit-reset-requests": "6ms"}, 0.006),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "8.64s",
                "x-ratelimit-remaining-tokens": "17000",
                "x-ratelimit-reset-tokens": "1m0s",
            },
            8.64,
        ),
        ({"x-ratelimit-reset": "1795867230"}, 30),
        ({"x-ratelimit-reset": "1795867230000"}, 30),
        ({"ratelimit-reset": "12"}, 12),
        ({"anthropic-ratelimit-tokens-reset": "2026-11-28T12:01:00Z"}, 60),
        ({"anthropic-ratelimit-unified-reset": "1795867260"}, 60),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "9" * 5_000}, None),
        ({"retry-after": "Sat, 28 Nov 2025 12:20:00 GMT"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_the_time_to_wait_is_read_from_every_header(headers, seconds):
    found = read_answer(status=429, headers=headers, body=b"", now=NOW)
    assert found.wait_seconds == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        ("Please try again in 20s.", 20),
        ("Please try again in 1m2.5s. Visit", 62.5),
        ("Please try again in 359ms.", 0.359),
        ("Please try again in 6m0s", 360),
        ("Please try again in 1h2m3s", 3723),
        ("Please retry after 6 seconds.", 6),
        ("please try again after 1 seconds", 1),
        ("Please retry in 37.82626638s.", 37.82626638),
        ("Retry after 2 minutes and 3 seconds", 123),
        ("Your quota will reset after 7h19m24s.", 26_364),
        ("Please wait 30 seconds before you try again", 30),
        ("Please retry after 1 day", 86_400),
        ("please try again later", None),
        ("Try again in a moment", None),
        ("retry in 5 parsecs", None),
    ],
)
def test_the_time_to_wait_is_read_from_words(sentence, seconds):
    found = read(429, {"error": {"message": sentence}})
    assert found.wait_seconds == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "body",
    ["", "no", {}, [], {"error": None}, {"error": {"message": None, "code": None}}, "null", "\x00"],
)
def test_a_no_without_a_reason_is_a_doubt(status, body):
    found = read(status, body)
    assert (found.about, found.is_about_key) == (About.UNSURE, True)


@pytest.mark.parametrize(
    ("about", "status", "may_be_key"),
    [("moment", 429, True), ("moment", 529, False), ("moment", 503, False)]
    + [(about, 403, True) for about in ("key", "credit", "unsure")]
    + [(about, 403, False) for about in ("request", "route")],
)
def test_another_key_may_help_when_the_no_may_be_the_keys(about, status, may_be_key):
    error = ProviderError(about=About(about), kind="x", status=status, message="")
    assert error.is_about_key is may_be_key


def test_a_long_sentence_is_shortened_and_its_white_space_is_plain():
    found = read(400, {"error": {"message": "no \n\t way " * 100}})
    assert found.message.startswith("no way no way")
    assert len(found.message) == 300


@pytest.mark.parametrize(
    "body",
    [
        "[" * 50_000,
        '{"error":' * 50_000,
        json.dumps({"error": {"message": json.dumps({"error": "deep"})}}),
        "<html>" + "<p>" * 50_000,
        "Please try again in " + "1m" * 50_000,
        "data: " + "x" * 100_000,
        "a" * 1_000_000,
        '{"message": "' + "model " * 20_000 + '"}',
    ],
)
def test_a_hostile_body_is_read_in_no_time(body):
    assert read(403, body).about in About


def test_every_route_of_an_answer_is_judged_alike_for_bytes_that_are_no_text():
    found = read_answer(status=403, headers={}, body=b"\xff\xfe\x00", now=NOW)
    assert found.about is About.UNSURE
