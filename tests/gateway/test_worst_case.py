"""Nothing is forwarded with a hold below what the most expensive reader of the body would bill.

The reader counts every text that a model may get, takes every address for the largest image and
every video, file or stored item for something without end. It reads names as the most lenient
provider does.
"""

import json
from collections.abc import Iterator
from math import inf
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.refusal import Refusal
from gateway import bounds
from gateway.dialects import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES
from gateway.dialects.json_body import folded_name
from keys.supply.model_facts import facts_by_name
from tests.gateway.routes import read

GRANTED = 100
PUBLIC, UNKNOWN = "gpt-4o", "gpt-7"
# Of a model whose rules are public, and of one that nobody knows.
IMAGE = {PUBLIC: 85 + 8 * 170, UNKNOWN: 16_384}
ENDLESS = {"video_url", "video", "doc_url", "file_id", "file", "document_url", "audio_url"}
# What makes a call dearer at some provider, at the top or within an object.
DEAR = {"enablesearch", "datasources", "fallbacks", "compoundcustom", "imageconfig", "websearch"}
DEAR |= {"cachedcontent", "googlesearch", "only", "order", "models", "plugins", "oftomorrow"}
CONTENT_FIELDS = {"messages", "input", "prompt", "suffix", "system", "instructions", "tools"}
PROVIDERS = ["custom", "groq", "google", "openrouter", "openrouter-2", "nvidia"]
# The fields of each route that multiply its output.
MAXIMA = {
    CHAT: {"maxtokens", "maxcompletiontokens"},
    COMPLETIONS: {"maxtokens"},
    RESPONSES: {"maxoutputtokens"},
    MESSAGES: {"maxtokens"},
    EMBEDDINGS: set(),
}
CHOICES = {CHAT: {"n"}, COMPLETIONS: {"n"}}
NOT_TEXT = {"type", "id", "role", "call_id", "detail", "url", "image_url", "data", "status"}
# What an item that only refers to a stored one has.
REFERENCE = {"id", "type", "status", "role", "summary", "queries", "content"}


def tokens(text: str, model: str) -> int:
    """The tokens of a text: one a byte where the tokenizer is unknown."""
    if model == UNKNOWN:
        return len(text.encode())
    return bounds.text_tokens_max(text, model=facts_by_name(model))


def bill(value: Any, model: str) -> float:
    """What a reader who takes everything for input would bill."""
    if isinstance(value, str):
        return tokens(value, model)
    if isinstance(value, list):
        return sum(bill(each, model) for each in value)
    if not isinstance(value, dict):
        return 0
    if value.keys() & ENDLESS:
        return inf
    is_image = "image_url" in value or value.get("type") == "image"
    image = IMAGE[model] if is_image else 0
    return image + sum(bill(each, model) for name, each in value.items() if name not in NOT_TEXT)


def is_reference(item: Any) -> bool:
    """Whether a provider would take the content of an item from its store."""
    if not isinstance(item, dict):
        return False
    return bool(item.get("id")) and item.keys() <= REFERENCE and item.get("content") is None


def body_bill(body: dict[str, Any], model: str) -> float:
    """The input of a whole request."""
    texts = {name: value for name, value in body.items() if name not in bounds.SETTINGS}
    items = body.get("input")
    if isinstance(items, list) and any(map(is_reference, items)):
        return inf
    if is_dear({name: value for name, value in body.items() if name not in CONTENT_FIELDS}):
        return inf
    return bill(texts, model)


def is_dear(value: Any) -> bool:
    """Whether a setting, or one within it, lets the provider do more than answer."""
    if isinstance(value, list):
        return any(map(is_dear, value))
    if not isinstance(value, dict):
        return False
    set_fields = {name: each for name, each in value.items() if each not in (None, False)}
    return any(folded_name(name) in DEAR or is_dear(each) for name, each in set_fields.items())


def numbers(body: dict[str, Any], names: set[str]) -> Iterator[Any]:
    """Every value that some provider would find under these names."""
    found = (value for name, value in body.items() if folded_name(name) in names)
    return (value for value in found if value is not None)


# Grammar: valid, odd and hostile

URL = "https://example.org/a"
texts = st.sampled_from(["", "Hi", "word " * 40, "的是" * 20, "ﷺ㌖" * 5, "😀"]) | st.text(
    max_size=12
)
text_parts = st.builds(
    lambda kind, text: {"type": kind, "text": text},
    st.sampled_from(["text", "input_text", "output_text", "refusal", None, "tomorrow"]),
    texts,
)
media = st.sampled_from(
    [
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "input_image", "image_url": URL},
        {"image_url": {"url": URL}},
        {"type": "image", "source": {"type": "url", "url": URL}},
        {"type": "video_url", "video_url": {"url": URL}},
        {"video_url": {"url": URL}},
        {"type": "text", "text": "Hi", "video": URL} | {"type": "tomorrow"},
        {"type": "doc_url", "doc_url": {"url": URL}},
        {"type": "input_file", "file_id": "file-1"},
        {"file": {"file_id": "file-1"}},
    ]
)
parts = st.recursive(
    text_parts | texts.map(lambda text: {"text": text}) | texts | media,
    lambda inner: st.builds(
        lambda kind, content: {"type": kind, "tool_use_id": "t", "content": content},
        st.sampled_from(["tool_result", "search_result", "tomorrow"]),
        st.lists(inner, max_size=2),
    ),
    max_leaves=4,
)
calls = texts.map(
    lambda text: {"id": "c", "type": "function", "function": {"name": "f", "arguments": text}}
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool"])},
    optional={
        "content": texts | st.lists(parts, max_size=3) | parts,
        "name": texts,
        "reasoning_content": texts,
        "tool_calls": st.lists(calls, max_size=2),
        "images": st.lists(media, max_size=1),
        "of_tomorrow": texts,
        "type": st.just("message"),
        "id": st.sampled_from(["msg_1", ""]),
    },
)
blocks = st.one_of(
    texts.map(lambda text: {"type": "tool_use", "id": "t", "name": "f", "input": {"a": text}}),
    texts.map(lambda text: {"type": "thinking", "thinking": text, "signature": text}),
    texts.map(lambda text: {"type": "document", "title": text, "source": {"type": "text"}}),
)
items = st.one_of(
    messages,
    texts.map(lambda text: {"type": "function_call", "id": "fc_1", "name": "f", "arguments": text}),
    st.builds(
        lambda kind, output: {"type": kind, "call_id": "c", "output": output},
        st.sampled_from(["function_call_output", "shell_call_output", "tomorrow_output"]),
        texts | st.lists(parts, max_size=2),
    ),
    texts.map(lambda text: {"type": "reasoning", "id": "rs_1", "encrypted_content": text + "x"}),
    st.sampled_from(
        [
            {"id": "msg_1"},
            {"type": "item_reference", "id": "rs_1"},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "compaction", "id": "cmp_1"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "file_search_call", "id": "fs_1", "queries": ["x"]},
        ]
    ),
)
predictions = text_parts | parts.map(lambda part: {"type": "content", "content": [part]})
tools = texts.map(lambda text: {"type": "function", "function": {"name": "f", "description": text}})
extras = st.sampled_from([
    ("documents", [{"text": "word " * 50}]),
    ("of_tomorrow", "word " * 50),
    ("of_tomorrow", True),
    ("Of-Tomorrow", {}),
    ("user", "word " * 50),
    ("maxTokens", 10**6),
    ("max_output-tokens", 10**6),
    ("max_token\u017f", 10**6),
    ("Max_Completion_Tokens", 10**6),
    ("N", 99),
    ("enable_search", True),
    ("enable_\u017fearch", True),
    ("fallbacks", [{"model": "x"}]),
    ("dataSources", [{"type": "x"}]),
    ("compound_custom", {"tools": {}}),
    ("image_config", {"image_size": "4K"}),
    ("web_search", {}),
    ("web_search", {"enabled": False, "count": 9}),
    ("models", ["a"]),
    ("provider", {"only": ["x"]}),
    ("provider", {"enabled": False, "order": ["x"]}),
    ("provider", {"sort": "price"}),
    ("provider", {"sort": {"by": "price", "of_tomorrow": 1}}),
    ("extra_body", {"google": {"cached_content": "x"}}),
    ("extra_body", {"google": {"thinking_config": {"google_search": {}}}}),
    ("extra_body", {"max_tokens": 10**6}),
    ("extra_body", [{"fallbacks": ["x"]}]),
    ("nvext", {"of_tomorrow": 1}),
    ("reasoning", {"effort": "low", "of_tomorrow": 1}),
    ("thinking", {"type": "enabled", "models": ["x"]}),
    ("chat_template_kwargs", {"enable_thinking": True}),
    ("temperature", 1),
])  # fmt: skip
CONTENT = {
    CHAT: st.fixed_dictionaries(
        {"messages": st.lists(messages, max_size=3)},
        optional={"tools": st.lists(tools, max_size=2), "prediction": predictions, "n": st.just(2)},
    ),
    COMPLETIONS: st.fixed_dictionaries(
        {"prompt": texts | st.lists(texts, max_size=3)}, optional={"suffix": texts}
    ),
    RESPONSES: st.fixed_dictionaries(
        {"input": texts | st.lists(items, max_size=3)}, optional={"instructions": texts}
    ),
    MESSAGES: st.fixed_dictionaries(
        {
            "messages": st.lists(
                st.builds(
                    lambda content: {"role": "user", "content": content},
                    texts | st.lists(parts | blocks, max_size=3),
                ),
                max_size=3,
            )
        },
        optional={"system": texts | st.lists(text_parts, max_size=2)},
    ),
    EMBEDDINGS: st.fixed_dictionaries(
        {},
        optional={
            "input": texts | st.lists(texts | parts, max_size=3),
            "messages": st.lists(messages, max_size=2),
            "prompt": texts,
            "images": st.just([URL]),
        },
    ),
}


@pytest.mark.parametrize("dialect", CONTENT, ids=lambda dialect: dialect.path)
@pytest.mark.parametrize("model", [PUBLIC, UNKNOWN])
@settings(max_examples=100)
@given(data=st.data())
def test_no_reader_bills_more_than_is_held(dialect, model, data):
    fields = data.draw(CONTENT[dialect]) | dict(data.draw(st.lists(extras, max_size=2)))
    raw = json.dumps({"model": "m", **fields}, ensure_ascii=data.draw(st.booleans())).encode()
    facts = facts_by_name(model)
    try:
        asked = read(dialect, raw, on=data.draw(st.sampled_from(PROVIDERS)))
        held = dialect.input_bound(asked, model=facts)
    except Refusal:
        return
    sent = dialect.provider_body(asked, model=model, facts=facts, output_tokens_max=GRANTED)
    body = msgspec.json.decode(sent)
    assert held >= body_bill(body, model)
    assert max(numbers(body, MAXIMA[dialect]), default=0) <= GRANTED
    assert max(numbers(body, CHOICES.get(dialect, set())), default=1) <= asked.choices
