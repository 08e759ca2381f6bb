"""Any JSON in any field: a request is refused, or bounded and sent within its bounds."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.refusal import Refusal
from gateway.dialects import CHAT, EMBEDDINGS, MESSAGES, RESPONSES
from keys.supply.model_facts import facts_by_name
from tests.gateway.routes import ALL

GRANTED = 100
MAXIMA = {"max_tokens", "max_completion_tokens", "max_output_tokens"}
FIELDS = {
    CHAT: ["messages", "tools", "functions", "n", "max_tokens", "max_completion_tokens"]
    + ["stream", "stream_options", "response_format", "prediction", "service_tier", "plugins"],
    RESPONSES: ["input", "instructions", "text", "tools", "tool_choice", "max_output_tokens"]
    + ["stream", "conversation", "background", "service_tier"],
    MESSAGES: ["messages", "system", "tools", "thinking", "max_tokens", "output_config", "speed"]
    + ["stream", "context_management", "container", "inference_geo"],
    EMBEDDINGS: ["input", "service_tier"],
}
# Names and words that lead deep into the code; any other text besides.
# fmt: off
WORDS = st.sampled_from([
    "type", "text", "content", "role", "image_url", "url", "input_image", "source", "data",
    "base64", "document", "tool_use", "input", "tool_calls", "function", "arguments", "name",
    "input_audio", "audio", "format", "wav", "mp3", "tool_result", "summary", "reasoning",
    "encrypted_content", "output", "function_call", "function_call_output", "message", "user",
    "item_reference", "namespace", "tools", "environment", "local", "edits", "budget_tokens",
    "include_usage", "enum", "citations", "detail",
])
# fmt: on
TEXTS = WORDS | st.text(max_size=8) | st.sampled_from(["data:image/png;base64,iVBORw0KGgo=", "\0"])
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, 1e300, -0.0, 1.0, True])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=12,
)


@st.composite
def requests(draw, dialect):
    """The bytes of a request of one route, some of them twice, NaN and halves of characters too."""
    names = st.sampled_from(FIELDS.get(dialect, ["messages"])) | TEXTS
    pairs = draw(st.lists(st.tuples(names, JSON), max_size=6))
    said = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs]
    return ("{" + ",".join(['"model":"asked"', *said]) + "}").encode()


@pytest.mark.parametrize("dialect", ALL, ids=lambda dialect: dialect.path)
# The tokenizers are read at the first use.
@given(data=st.data(), model=st.sampled_from(["gpt-4o", "gpt-oss-120b", "claude-opus-4-8", "x"]))
def test_any_request_is_refused_or_bounded(dialect, data, model):
    raw = data.draw(requests(dialect))
    try:
        asked = dialect.parse(raw)
        bound = dialect.input_bound(asked, model=facts_by_name(model))
    except Refusal:
        return
    assert bound >= 0
    assert asked.choices >= 1
    sent = dialect.provider_body(
        asked, model=model, facts=facts_by_name(model), output_tokens_max=GRANTED
    )
    found = msgspec.json.decode(sent, type=dict[str, msgspec.Raw])
    assert msgspec.json.decode(found["model"]) == model
    maxima = [msgspec.json.decode(found[name]) for name in MAXIMA & found.keys()]
    if dialect in (CHAT, RESPONSES, MESSAGES):
        assert [most for most in maxima if most is not None]
        assert all(most is None or 0 <= most <= GRANTED for most in maxima)
        assert dialect.parse(sent).choices == asked.choices
