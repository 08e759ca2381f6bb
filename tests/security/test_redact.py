"""Secrets are taken out of texts and log records."""

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security import tokens
from security.redact import REDACTED, RedactSecrets, redact

SECRET = "A1b2C3d4E5f6G7h8J9k0"
PIECES = [
    "Bearer ",
    "sk-",
    SECRET,
    "token=",
    "api_key: ",
    "://",
    "a",
    "@",
    ":",
    " ",
    '"',
    "bt_",
    "_",
]
PIECES += ["A" * 43, "[redacted]", "hooks.slack.com/services/", "https", "slack", "eyJ", "."]


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: basic {SECRET}==",
        f"invalid key sk-{SECRET}",
        f"sk-ant-api03-{SECRET}-AA was refused",
        f"sk-or-v1-{SECRET}",
        f"nvapi-{SECRET}",
        f"gsk_{SECRET}",
        f"xoxb-12-{SECRET}",
        f"AIza{SECRET}{SECRET}",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx{SECRET}.{SECRET}",
        f"x-api-key: {SECRET}",
        f"{{'x-api-key': '{SECRET}'}}",
        f'{{"api_key": "{SECRET}", "n": 1}}',
        f"OPENAI_API_KEY={SECRET}",
        f"password='{SECRET}'",
        f"(b'x-api-key', b'{SECRET}')",
        f"https://example.com/hook?token={SECRET}&n=1",
        f"postgres://butler:{SECRET}@db.example/butler",
        f"redis://:{SECRET}@cache:6379/0",
        f"mailtos://ada:{SECRET}@mail.example?to=bob",
        f"slack://{SECRET}/T0/B0",
        f"discord://4174216298/{SECRET}",
        f"POST https://hooks.slack.com/services/T0/B0/{SECRET} failed",
        f"https://discord.com/api/webhooks/1/{SECRET}",
        f"https://api.telegram.org/bot12:{SECRET}/sendMessage",
    ],
)
def test_a_secret_is_taken_out(text):
    assert SECRET not in redact(text)
    assert REDACTED in redact(text)


def test_tokens_of_butler_keep_the_part_that_finds_their_row():
    for token in (tokens.new_token("bt").token, tokens.derive_token("bs", "session-7")):
        for before in (
            "refused ",
            "Authorization: Bearer ",
            "token=",
            "https://example.com/?token=",
        ):
            assert redact(f"{before}{token}.") == f"{before}{token[:-43]}{REDACTED}."


def test_a_provider_token_keeps_only_its_kind():
    assert redact(f"key sk-{SECRET}, try again") == f"key sk-{REDACTED}, try again"


@pytest.mark.parametrize(
    "text",
    [
        "Allocation 7 of ada: 500 tokens of 10,000 used; token limit reached.",
        "GET https://api.example.com/v1/models?limit=20 answered 503",
        "max_tokens=4096, total_tokens: 12, tokens=77",
        "key nvidia-1 is cooling until 2026-03-10T12:00:00+00:00",
        "postgres://db.example/butler is not reachable",
        "The secret of key groq-1 was replaced by ada.",
        "task-manager sk-1 asks",
    ],
)
def test_other_texts_stay_as_they_are(text):
    assert redact(text) == text


def test_secrets_the_caller_knows_are_taken_out_wherever_they_are():
    assert redact("host hunter22 is down", secrets=["hunter22"]) == f"host {REDACTED} is down"
    assert redact("abcdef abc", secrets=["", "abc", "abcdef"]) == f"{REDACTED} abc"


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_redacting_twice_changes_nothing_more(text):
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "piece",
    ["a-", "a_", "sk-", "a://", "key: ", "eyJ", "bt_", "token", "x=", "a:", "b_", "A" * 50, "eyJ-"],
)
def test_long_hostile_texts_take_no_long_time(piece):
    begun = time.perf_counter()
    redact(piece * (100_000 // len(piece)))
    assert time.perf_counter() - begun < 2


def _logged(capsys, log):
    handler = logging.StreamHandler()
    handler.addFilter(RedactSecrets())
    logger = logging.Logger("butler.test")
    logger.addHandler(handler)
    log(logger)
    return capsys.readouterr().err


def test_a_log_line_shows_no_secret_of_its_arguments(capsys):
    line = _logged(capsys, lambda logger: logger.error("refused: %s", f"Bearer {SECRET}"))
    assert line == f"refused: Bearer {REDACTED}\n"


def test_a_traceback_in_the_log_shows_no_secret(capsys):
    def log(logger):
        try:
            raise ValueError(f"no such key sk-{SECRET}")
        except ValueError:
            logger.exception("failed", stack_info=True)

    line = _logged(capsys, log)
    assert "Traceback" in line
    assert "no such key sk-" in line
    assert SECRET not in line


def test_a_message_that_does_not_fit_its_arguments_is_not_printed_raw(capsys):
    line = _logged(capsys, lambda logger: logger.error("%d calls", f"sk-{SECRET}"))
    assert "does not fit its arguments" in line
    assert SECRET not in line
