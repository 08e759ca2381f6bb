"""What providers say they used, as each of them really writes it."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from gateway import dialects
from keys.services import Usage

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


def usage_said(usage: str, *, dialect=dialects.CHAT):
    """The usage a dialect reads from an answer with this JSON as its usage."""
    said = dialect.usage_report(b'{"id":"a","usage":' + usage.encode() + b"}")
    return said and said.usage


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_answer_is_read_as_expected(path):
    golden = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
    expected = msgspec.json.decode(golden["expected"])
    request_id = expected.pop("provider_request_id", "")
    cost = expected.pop("provider_cost", None)
    dialect = getattr(dialects, msgspec.json.decode(golden["dialect"]).upper())

    said = dialect.usage_report(bytes(golden["answer"]))

    assert said.usage == Usage(**expected)
    said.usage.check()
    assert said.provider_cost == (cost and Decimal(cost))
    assert said.provider_request_id == request_id


def test_every_provider_has_a_golden_answer():
    assert len(GOLDEN) >= 20


@pytest.mark.parametrize(
    "usage",
    [
        "null",
        "[]",
        '"12"',
        "{}",
        '{"prompt_tokens":-1,"completion_tokens":5}',
        '{"prompt_tokens":1.5,"completion_tokens":5}',
        '{"prompt_tokens":"7","completion_tokens":5}',
        '{"prompt_tokens":true,"completion_tokens":5}',
        '{"prompt_tokens":5}',
        '{"prompt_tokens":5,"completion_tokens":null}',
        '{"prompt_tokens":10000000000,"completion_tokens":5}',
        '{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}',
        '{"prompt_tokens":99999999999999999999999999,"completion_tokens":1}',
    ],
)
def test_what_cannot_be_believed_is_unknown(usage):
    assert usage_said(usage) is None


@pytest.mark.parametrize(
    "usage",
    ["null", "{}", '{"input_tokens":5}', '{"input_tokens":-5,"output_tokens":1}'],
)
def test_what_cannot_be_believed_of_a_message_is_unknown(usage):
    assert usage_said(usage, dialect=dialects.MESSAGES) is None


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[1]", b'{"usage":', b"\xff\xfe", b"[" * 100_000]
)
@pytest.mark.parametrize(
    "dialect",
    [dialects.CHAT, dialects.RESPONSES, dialects.EMBEDDINGS, dialects.MESSAGES],
    ids=lambda dialect: dialect.path,
)
def test_a_broken_answer_says_nothing(dialect, body):
    assert dialect.usage_report(body) is None


@pytest.mark.parametrize("details", ['{"cached_tokens":-4}', '{"cached_tokens":"x"}', "[]", "7"])
def test_a_nonsensical_part_does_not_discard_the_totals(details):
    usage = f'{{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{details}}}'
    assert usage_said(usage) == Usage(input_tokens=10, output_tokens=5)


def test_a_part_larger_than_its_whole_leaves_the_whole_at_the_full_rate():
    usage = usage_said(
        '{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,'
        '"prompt_tokens_details":{"cached_tokens":11,"cache_write_tokens":12,"audio_tokens":13}}'
    )
    assert usage == Usage(input_tokens=10, output_tokens=5)


def test_a_cost_keeps_every_digit_it_was_written_with():
    said = dialects.CHAT.usage_report(
        b'{"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":0.1234567890123456789}}'
    )
    assert str(said.provider_cost) == "0.1234567890123456789"


@pytest.mark.parametrize("cost", ["-1", '"free"', "1e99", "null", "true", "{}"])
def test_a_cost_that_cannot_be_believed_is_unknown(cost):
    said = dialects.CHAT.usage_report(
        b'{"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":' + cost.encode() + b"}}"
    )
    assert said.usage.tokens == 2
    assert said.provider_cost is None


def test_an_endless_id_is_cut():
    answer = {"id": "i" * 5000, "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    said = dialects.CHAT.usage_report(msgspec.json.encode(answer))
    assert said.provider_request_id == "i" * 200


def test_counting_tokens_is_no_usage():
    assert dialects.COUNT_TOKENS.usage_report(b'{"input_tokens":14}') is None
