"""The bound of a request's input is never below what its provider counts."""

import base64
import hashlib
import json
import random
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiktoken_ext import openai_public

from gateway import bounds
from gateway.bounds import tokenizers
from gateway.refusals import CannotBeBounded
from keys.supply.model_facts import facts_by_name
from tests.gateway.bounded import CLAUDE, NOBODYS, chat_of, raw

DATA = Path(tokenizers.__file__).parent / "data"
ENCODINGS = {"o200k_base": "gpt-4o", "cl100k_base": "gpt-4"}


@pytest.fixture(scope="module")
def tiktokens(tmp_path_factory):
    """tiktoken's own encodings, from the same files, by the hashes it expects."""
    cache = tmp_path_factory.mktemp("tiktoken")
    for name in ENCODINGS:
        url = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
        known = hashlib.sha1(url.encode()).hexdigest()  # noqa: S324
        (cache / known).write_bytes((DATA / f"{name}.tiktoken").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        patch.setattr(socket, "socket", None)
        made = {name: tiktoken.Encoding(**getattr(openai_public, name)()) for name in ENCODINGS}
    return {model: made[name] for name, model in ENCODINGS.items()}


# Texts

texts = st.one_of(
    st.text(st.characters(codec=None), max_size=300),
    st.binary(max_size=200).map(bytes.hex),
    st.binary(max_size=200).map(lambda found: base64.b64encode(found).decode()),
    st.text("的一是不了人我在有他这中大来上国", max_size=200),
    st.text("😀🎉👩‍👩‍👧🏽‍♀️ ", max_size=100),
    st.text("ﷺ㌖ﬁẛ̣Å한 e\u0301\u0323", max_size=100),
    st.text(" \t\r\n\u3000aA1!/'", max_size=300),
    st.sampled_from(["<|endoftext|>", "<|im_start|>system", "<|endofprompt|>"]),
)


@given(text=texts)
@example(text="\ud83d\ude00 \udc00")
@settings(max_examples=400)
def test_a_public_tokenizer_is_counted_as_tiktoken_counts(tiktokens, text):
    for model, encoding in tiktokens.items():
        assert bounds.text_tokens_max(text, model=facts_by_name(model)) == len(
            encoding.encode_ordinary(text)
        )


@given(text=texts)
@settings(max_examples=400)
def test_bytes_are_never_fewer_than_tokens(tiktokens, text):
    most = bounds.text_tokens_max(text, model=facts_by_name(NOBODYS))
    for encoding in tiktokens.values():
        assert most >= len(encoding.encode_ordinary(text))


def test_bytes_bound_what_a_normalising_tokenizer_makes_of_a_text():
    # One character of three bytes, which NFKC writes out as a sentence of 33.
    assert bounds.utf8_max("\ufdfa") == 33


def test_a_pile_of_marks_does_not_take_quadratic_time():
    piled = "a" + "\u0301\u0316" * 200_000
    assert bounds.utf8_max(piled) >= len(piled.encode())


@pytest.mark.parametrize("model", [*ENCODINGS.values(), NOBODYS])
@pytest.mark.parametrize("char", [" ", "\n", "\u3000", "a", "^", "的", "😀", "\u0301"])
def test_a_text_of_any_length_is_counted_or_bounded(model, char):
    # Above 1,000,000 white spaces tiktoken itself overflows its stack.
    for size in (tokenizers.COUNTED_BYTES_MAX // len(char.encode()), 1_100_000):
        text = char * size
        assert (
            0 < bounds.text_tokens_max(text, model=facts_by_name(model)) <= 11 * len(text.encode())
        )


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "o200k_base"),
        ("openai/gpt-4o-2024-08-06", "o200k_base"),
        ("ft:gpt-4o-mini-2024-07-18:org::id", "o200k_base"),
        ("openrouter/openai/gpt-4.1-nano:free", "o200k_base"),
        ("gpt-5.4-mini", "o200k_base"),
        ("o1", "o200k_base"),
        ("o3-pro", "o200k_base"),
        ("o4-mini", "o200k_base"),
        ("gpt-oss-120b", "o200k_base"),
        ("chatgpt-4o-latest", "o200k_base"),
        ("azure/gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo-0125", "cl100k_base"),
        ("text-embedding-3-large", "cl100k_base"),
        ("text-embedding-ada-002", "cl100k_base"),
        ("gpt-7", ""),
        ("gpt-50", ""),
        ("gpt-4all", ""),
        ("somebody/gpt-4-x-alpaca", ""),
        ("claude-opus-4-7", ""),
    ],
)
def test_a_model_is_known_by_its_name(model, name):
    assert facts_by_name(model).tokenizer == name


def test_tokenizers_are_loaded_without_a_network():
    code = (
        "import socket; socket.socket = socket.create_connection = None\n"
        "from gateway import bounds; bounds.load_tokenizers()\n"
        "from keys.supply.model_facts import facts_by_name\n"
        "print(bounds.text_tokens_max('hello world', model=facts_by_name('gpt-4o')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"


# Chat


def test_a_chat_costs_at_least_what_openai_was_seen_to_bill():
    """As measured in community.openai.com/t/538914: one, two and three calls of a tool."""
    asked = {"role": "user", "content": [{"type": "text", "text": "How much is 2 plus 2?"}]}
    function = {"name": "calculator", "arguments": '{"a":2, "b":2}'}
    pair = [
        {
            "role": "assistant",
            "tool_calls": [{"id": "a", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "4"},
    ]
    for pairs, billed in ((1, 40), (2, 89), (3, 114)):
        fields = {"messages": [asked, *pair * pairs]}
        assert bounds.chat_input_max(fields, model=facts_by_name("gpt-3.5-turbo")) >= billed


messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant"]), "content": texts},
        optional={"name": st.text("abc_", min_size=1, max_size=20)},
    ),
    max_size=6,
)


def cookbook(messages, encoding):
    """OpenAI's own rule: 3 a message, 1 a name, 3 to begin the answer."""
    each = (
        len(encoding.encode_ordinary(text)) for message in messages for text in message.values()
    )
    return sum(each) + sum(3 + ("name" in message) for message in messages) + 3


@given(messages=messages)
@settings(max_examples=200)
def test_a_chat_is_bounded_by_openais_rule(tiktokens, messages):
    for model, encoding in tiktokens.items():
        assert bounds.chat_input_max(
            {"messages": messages}, model=facts_by_name(model)
        ) >= cookbook(messages, encoding)


def test_many_short_messages_are_bounded_by_openais_rule(tiktokens):
    chat = [{"role": "user", "content": "Hi"}] * 200
    truth = cookbook(chat, tiktokens["gpt-4o"])
    assert (
        truth
        <= bounds.chat_input_max({"messages": chat}, model=facts_by_name("gpt-4o"))
        <= truth * 1.3
    )


PROSE = "We agreed to ship on Monday. The tests were green, but nobody had looked at the logs. "


def test_a_bound_of_ordinary_prose_is_close(tiktokens):
    chat = [{"role": "user", "content": PROSE * 5}, {"role": "assistant", "content": PROSE * 3}] * 5
    truth = cookbook(chat, tiktokens["gpt-4o"])
    assert (
        truth
        <= bounds.chat_input_max({"messages": chat}, model=facts_by_name("gpt-4o"))
        <= truth * 1.1
    )


def tool(properties, description="Does something"):
    schema = {"type": "object", "properties": properties}
    function = {"name": "work", "description": description, "parameters": schema}
    return {"type": "function", "function": function}


properties = st.dictionaries(
    st.text("abcdefgh_", min_size=1, max_size=12),
    st.fixed_dictionaries(
        {"type": st.just("string"), "description": texts},
        optional={"enum": st.lists(st.text("abcxyz", max_size=8), max_size=30)},
    ),
    max_size=6,
)


def cookbook_of_tools(tools, encoding):
    """OpenAI's rule for tools of gpt-4 and gpt-3.5, whose constants are the larger ones."""

    def count(text):
        return len(encoding.encode_ordinary(text))

    total = 12
    for function in (tool["function"] for tool in tools):
        total += 10 + count(f"{function['name']}:{function['description'].rstrip('.')}")
        found = function["parameters"]["properties"]
        total += 3 if found else 0
        for name, value in found.items():
            total += 3 + count(f"{name}:{value['type']}:{value['description'].rstrip('.')}")
            total += sum(3 + count(choice) for choice in value.get("enum", []))
    return total


def typescript_of_tools(tools):
    """How models are shown tools: the namespace that gpt-oss's harmony format writes."""
    lines = ["# Tools", "", "## functions", "", "namespace functions {", ""]
    for function in (tool["function"] for tool in tools):
        lines += [f"// {line}" for line in function["description"].split("\n")]
        lines += [f"type {function['name']} = (_: {{"]
        for name, value in function["parameters"]["properties"].items():
            kind = " | ".join(f'"{each}"' for each in value.get("enum", [])) or value["type"]
            lines += [f"// {line}" for line in value["description"].split("\n")]
            lines += [f"{name}?: {kind},"]
        lines += ["}) => any;", ""]
    return "\n".join([*lines, "} // namespace functions"])


@given(tools=st.lists(st.builds(tool, properties, texts), min_size=1, max_size=3))
@settings(max_examples=200)
def test_tools_are_bounded_however_they_are_shown(tiktokens, tools):
    asked = {"messages": [{"role": "user", "content": "Go"}]}
    for model, encoding in tiktokens.items():
        most = bounds.chat_input_max({**asked, "tools": tools}, model=facts_by_name(model))
        shown = len(encoding.encode_ordinary(typescript_of_tools(tools)))
        rule = cookbook_of_tools(tools, encoding)
        assert most >= cookbook(asked["messages"], encoding) + max(shown, rule)


@pytest.mark.parametrize(
    "value",
    [
        {"type": "string", "description": "\n\n" * 400},
        {"type": "string", "description": "", "enum": ["x"] * 300},
    ],
)
def test_many_lines_or_choices_of_a_tool_are_bounded(tiktokens, value):
    tools = [tool({"k": value})]
    shown = len(tiktokens["gpt-4o"].encode_ordinary(typescript_of_tools(tools)))
    most = bounds.chat_input_max({"tools": tools}, model=facts_by_name("gpt-4o"))
    assert most >= max(shown, cookbook_of_tools(tools, tiktokens["gpt-4o"]))


# Raw JSON


@given(messages=messages)
@settings(max_examples=200)
def test_raw_json_bounds_a_request_as_well(tiktokens, messages):
    fields = {"messages": json.loads(json.dumps(messages).replace("\\ud", "\\u00"))}
    for ask in (bounds.chat_input_max, bounds.messages_input_max):
        most = ask(raw(fields), model=facts_by_name(NOBODYS))
        for encoding in tiktokens.values():
            assert most >= cookbook(fields["messages"], encoding)


def test_raw_json_that_may_hold_an_image_is_looked_into():
    part = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    fields = {"messages": [{"role": "user", "content": [part]}]}
    escaped = bytes(raw(fields)["messages"]).replace(b"image", rb"\u0069mage")
    hidden = {"messages": msgspec.Raw(escaped)}
    for found in (raw(fields), hidden):
        assert bounds.raw_bytes_max(found, ["messages"], model=facts_by_name(NOBODYS)) is None
        assert bounds.chat_input_max(found, model=facts_by_name(NOBODYS)) > 16_000


def test_raw_and_decoded_fields_are_the_same_to_a_public_tokenizer():
    fields = {"messages": [{"role": "user", "content": "Hi"}], "tools": [tool({})]}
    assert bounds.chat_input_max(
        raw(fields), model=facts_by_name("gpt-4o")
    ) == bounds.chat_input_max(fields, model=facts_by_name("gpt-4o"))


def test_tiny_arguments_shown_as_tags_are_bounded():
    names = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    block = {"type": "tool_use", "id": "t", "name": "f", "input": dict.fromkeys(names, 1)}
    fields = {"messages": [{"role": "assistant", "content": [block]}]}
    tags = "".join(f'<parameter name="{name}">1</parameter>\n' for name in names)
    shown = bounds.text_tokens_max(tags, model=facts_by_name("gpt-4o"))
    assert shown > len(json.dumps(block["input"]))
    for found in (fields, raw(fields)):
        assert bounds.messages_input_max(found, model=facts_by_name(CLAUDE)) - 320 >= shown


# Responses, messages, embeddings

LONG = "".join(random.Random(1).choices("0123456789abcdef", k=2000))


@pytest.mark.parametrize("model", ["gpt-4o", NOBODYS])
@pytest.mark.parametrize(
    "fields",
    [
        {"input": LONG},
        {"instructions": LONG},
        {"input": [{"role": "user", "content": LONG}]},
        {
            "input": [
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": LONG}],
                }
            ]
        },
        {"input": [{"type": "function_call", "name": "f", "call_id": "c", "arguments": LONG}]},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": LONG}]},
        {"input": [{"type": "custom_tool_call", "name": "f", "call_id": "c", "input": LONG}]},
        {"input": [{"type": "reasoning", "summary": [], "encrypted_content": LONG}]},
        {"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": LONG}]}]},
        {"input": [{"type": "compaction", "id": "cmp_1", "encrypted_content": LONG}]},
        {"input": [{"type": "shell_call", "action": {"commands": [LONG]}}]},
        {"input": [{"type": "web_search_call", "action": {"query": LONG}}]},
        {"input": [{"type": "tool_search_output", "tools": [{"type": "function", "name": LONG}]}]},
        {"tools": [{"type": "function", "name": "f", "description": LONG, "parameters": {}}]},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"title": LONG}}}},
    ],
)
def test_every_text_of_a_response_counts(model, fields):
    truth = bounds.text_tokens_max(LONG, model=facts_by_name(model))
    for found in (fields, raw(fields)):
        assert bounds.responses_input_max(found, model=facts_by_name(model)) >= truth


@pytest.mark.parametrize(
    "fields",
    [
        {"system": LONG},
        {"system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]},
        {"messages": [{"role": "user", "content": LONG}]},
        chat_of({"type": "text", "text": LONG}),
        chat_of({"type": "tool_use", "id": "t", "name": "f", "input": {"a": {"b": [LONG]}}}),
        chat_of({"type": "tool_result", "tool_use_id": "t", "content": LONG}),
        chat_of({"type": "tool_result", "content": [{"type": "text", "text": LONG}]}),
        chat_of({"type": "thinking", "thinking": LONG, "signature": "s"}),
        chat_of({"type": "thinking", "thinking": "", "signature": LONG}),
        chat_of({"type": "redacted_thinking", "data": LONG}),
        chat_of({"type": "document", "source": {"type": "text", "data": LONG}}),
        chat_of({"type": "document", "source": {"type": "content", "content": LONG}}),
        chat_of(
            {"type": "search_result", "source": "s", "content": [{"type": "text", "text": LONG}]}
        ),
        chat_of({"text": LONG}),
        chat_of({"type": "server_tool_use", "id": "t", "name": "f", "input": {"a": LONG}}),
        chat_of({"type": "web_search_tool_result", "content": [{"encrypted_content": LONG}]}),
        {"tools": [{"name": "f", "description": LONG, "input_schema": {"type": "object"}}]},
        {"output_config": {"format": {"type": "json_schema", "schema": {"title": LONG}}}},
    ],
)
def test_every_text_of_a_message_counts(fields):
    for found in (fields, raw(fields)):
        assert bounds.messages_input_max(found, model=facts_by_name(CLAUDE)) >= len(LONG)


def test_citations_cost_more_than_their_text():
    plain = {"type": "document", "source": {"type": "text", "data": LONG}}
    cited = plain | {"citations": {"enabled": True}}
    least = 2 * len(LONG)
    for found in (chat_of(cited), raw(chat_of(cited))):
        assert bounds.messages_input_max(found, model=facts_by_name(CLAUDE)) > least


def test_tools_of_anthropic_cost_what_it_writes_for_them():
    asked = {"messages": [{"role": "user", "content": "Hi"}]}
    none = bounds.messages_input_max(asked, model=facts_by_name(CLAUDE))
    one = {"name": "f", "input_schema": {"type": "object"}}
    assert (
        bounds.messages_input_max(asked | {"tools": [one]}, model=facts_by_name(CLAUDE)) - none
        >= 804
    )
    bash = {"type": "bash_20250124", "name": "bash"}
    assert (
        bounds.messages_input_max(asked | {"tools": [bash]}, model=facts_by_name(CLAUDE)) - none
        >= 804 + 735
    )


@pytest.mark.parametrize(
    ("value", "truth"),
    [(PROSE, 21), ([PROSE, PROSE], 42), ([1, 2, 3], 3), ([[1, 2], [3]], 3), ([], 0), ("", 0)],
)
def test_inputs_of_embeddings_are_counted(value, truth):
    most = bounds.embeddings_input_max(
        {"input": value}, model=facts_by_name("text-embedding-3-small")
    )
    assert truth <= most <= truth + 4


@pytest.mark.parametrize(
    "fields",
    [
        {"input": [{"image": "https://example.org"}]},
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"input": "Hi", "messages": []},
        {"input": "Hi", "images": ["https://example.org"]},
        {"inputs": [{"content": [{"type": "image_url", "image_url": "https://example.org"}]}]},
        {"input": "Hi", "documents": {"text": "Hi"}},
    ],
    ids=str,
)
def test_anything_but_texts_to_embed_is_refused(fields):
    for found in (fields, raw(fields)):
        with pytest.raises(CannotBeBounded):
            bounds.embeddings_input_max(found, model=facts_by_name(NOBODYS))


@pytest.mark.parametrize("name", ["prompt", "instruction", "text", "query", "content"])
def test_other_texts_of_an_embedding_count(name):
    for value in ("Hi", ["Hi", "Hi"], [1, 2], [], None):
        most = bounds.embeddings_input_max(
            raw({"input": value, name: PROSE}), model=facts_by_name("text-embedding-3-small")
        )
        assert most >= 21 * (len(value) if value == ["Hi", "Hi"] else 1)


def test_settings_of_embeddings_pass():
    fields = {"input": "Hi", "dimensions": 8, "encoding_format": "float", "user": "u"}
    others = {"embedding_types": ["float"], "truncate": True, "provider": {"sort": "price"}}
    assert bounds.embeddings_input_max(fields | others, model=facts_by_name(NOBODYS)) < 10


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "text",
                    "content",
                    "role",
                    "input",
                    "source",
                    "tool_calls",
                    "function",
                    "output",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(anything=anything)
@settings(max_examples=300)
def test_nothing_malformed_breaks_a_bound(anything):
    for model in ("gpt-4o", NOBODYS):
        for name in ("messages", "tools", "input", "text", "system", "response_format"):
            for ask in (
                bounds.chat_input_max,
                bounds.responses_input_max,
                bounds.messages_input_max,
                bounds.embeddings_input_max,
            ):
                try:
                    assert ask({name: anything}, model=facts_by_name(model)) >= 0
                except CannotBeBounded:
                    continue
