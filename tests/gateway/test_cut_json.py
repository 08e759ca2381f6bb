"""The beginning of a JSON text as a whole one."""

import json

import pytest

from gateway.dialects.cut_json import closed

TEXT = 'He said "hi" \\ äö 😀 [x], {y}: ok\n'
WHOLE = {
    "id": "x",
    "choices": [{"message": {"content": TEXT}, "n": [1, 23, True, None, {"a": []}]}],
    "usage": {"prompt_tokens": 123, "completion_tokens": 45},
    "z": "q",
}


@pytest.mark.parametrize(
    "written",
    [json.dumps(WHOLE), json.dumps(WHOLE, ensure_ascii=False), json.dumps(WHOLE, indent=1)],
)
def test_cut_anywhere_it_is_read_and_says_nothing_that_was_not_there(written):
    body = written.encode()
    for size in range(1, len(body)):
        read = json.loads(closed(body[:size]))
        usage = read.get("usage", {})
        assert usage.get("prompt_tokens", 123) == 123
        assert usage.get("completion_tokens", 45) == 45
        for choice in read.get("choices", []):
            assert TEXT.startswith(choice.get("message", {}).get("content", ""))
    assert json.loads(closed(body)) == WHOLE


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (b'[{"a": 1, "b', [{"a": 1}]),
        (b'{"a": tru', {}),
        (b'{"a": 12', {}),
        (b'{"a": 12,', {"a": 12}),
        (b'["one", "tw', ["one", "tw"]),
        (b'{"a": "\\', {"a": ""}),
        (b'{"a": "\\u00e', {"a": ""}),
        (b'{"a": "\xe4', {"a": ""}),
    ],
)
def test_what_may_lack_its_end_is_left_out(beginning, expected):
    assert json.loads(closed(beginning)) == expected


@pytest.mark.parametrize("other", [b"", b"hello", b"]", b'"text'])
def test_what_is_no_object_is_nothing(other):
    assert closed(other) == b""
