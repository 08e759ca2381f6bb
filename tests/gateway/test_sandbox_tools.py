"""The sandbox provider calls tools."""

import json

import pytest

from tests.gateway.sandbox import (
    CHAT,
    MESSAGES,
    RESPONSES,
    call,
    opened,
    request,
    said,
)

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("route", "tool"),
    [
        (CHAT, {"type": "function", "function": {"name": "look", "parameters": CITY}}),
        (RESPONSES, {"type": "function", "name": "look", "parameters": CITY}),
        (MESSAGES, {"name": "look", "input_schema": CITY}),
    ],
)
def test_a_tool_is_called_if_there_is_one(sandbox, route, tool, stream):
    asked = {"tools": [tool], "stream": stream}
    with opened(sandbox, route, request(route, "[[sandbox tool=look]]", **asked)) as answer:
        got = answer.read().decode()
    # Joined, the pieces of a stream are the arguments.
    pieces = [
        value
        for line in got.replace("data: ", "").split("\n")
        if line.startswith("{")
        for value in _found(json.loads(line), {"arguments", "partial_json", "delta", "input"})
    ]
    assert '{"city":"sandbox"}' in "".join(pieces)
    assert '"name":"look"' in got
    assert said(route, call(sandbox, route, "[[sandbox tool=look]]")[1])


def _found(value, names):
    """Texts, or whole objects as JSON, below one of these names, in order."""
    if isinstance(value, list):
        return [each for one in value for each in _found(one, names)]
    if not isinstance(value, dict):
        return []
    return [
        each
        for name, one in value.items()
        for each in (
            [one]
            if name in names and isinstance(one, str)
            else [json.dumps(one, separators=(",", ":"))]
            if name == "input" and one
            else _found(one, names)
        )
    ]


@pytest.mark.parametrize(
    ("route", "result"),
    [
        (CHAT, ("messages", {"role": "tool", "tool_call_id": "1", "content": "rain"})),
        (RESPONSES, ("input", {"type": "function_call_output", "call_id": "1", "output": "rain"})),
        (
            MESSAGES,
            (
                "messages",
                {"role": "user", "content": [{"type": "tool_result", "content": "rain"}]},
            ),
        ),
    ],
)
def test_a_tools_result_is_answered_with_text(sandbox, route, result):
    tool = {"name": "look", "function": {"name": "look"}}
    body = request(route, "[[sandbox tool=look output=7]]", tools=[tool])
    body[result[0]].append(result[1])
    with opened(sandbox, route, body) as answer:
        assert len(said(route, json.load(answer)).split()) == 7
