"""What the provider gets of a request."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import dialects
from keys.supply.model_facts import facts_by_name
from tests.gateway.routes import every_dialect, parsed, sent


@every_dialect
def test_unknown_fields_are_sent_byte_for_byte_and_in_order(dialect):
    odd = (
        b'"z_odd":{ "a" : [1e2,1.0, 12345678901234567890123],"\\u00e9":"\\/\\ud83d\\ude00" },"b":-0'
    )
    out = dialect.provider_body(
        dialect.parse(b'{"model":"asked","stream":true, ' + odd + b"}"),
        model="real",
        facts=facts_by_name("real"),
        output_tokens_max=100,
    )
    assert out.startswith(b'{"model":"real","stream":true,' + odd)


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name.startswith("x")),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
        max_size=5,
    )
)
def test_any_unknown_field_survives(unknown):
    fields = {name: value for name, value in unknown.items() if _encodes(value)}
    assert fields.items() <= _sent_raw(fields).items()


def _encodes(value):
    try:
        return msgspec.json.decode(msgspec.json.encode(value)) == value
    except (UnicodeEncodeError, OverflowError):
        return False


def _sent_raw(fields):
    return sent(dialects.CHAT, **fields)


@pytest.mark.parametrize(
    ("dialect", "field"),
    [
        (dialects.CHAT, "max_tokens"),
        (dialects.CHAT, "max_completion_tokens"),
        (dialects.RESPONSES, "max_output_tokens"),
        (dialects.MESSAGES, "max_tokens"),
    ],
)
def test_the_output_is_clamped_where_the_client_bounded_it_and_never_raised(dialect, field):
    assert sent(dialect, **{field: 5000}) == {"model": "real", field: 100}
    assert sent(dialect, **{field: 40}) == {"model": "real", field: 40}


def test_both_maxima_of_a_chat_are_clamped():
    out = sent(dialects.CHAT, max_tokens=5000, max_completion_tokens=30)
    assert (out["max_tokens"], out["max_completion_tokens"]) == (100, 30)


@pytest.mark.parametrize("budget", [5000, 10**9])
def test_a_thinking_budget_above_the_maximum_does_not_raise_it(budget):
    thinking = {"type": "enabled", "budget_tokens": budget}
    for maximum in ({"max_tokens": 6000}, {}):
        out = sent(dialects.MESSAGES, thinking=thinking, **maximum)
        assert (out["max_tokens"], out["thinking"]) == (100, thinking)


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("gpt-5.4", "max_completion_tokens"),
        ("gpt-5-mini", "max_completion_tokens"),
        ("o3", "max_completion_tokens"),
        ("o4-mini-2025-04-16", "max_completion_tokens"),
        ("openai/gpt-5", "max_completion_tokens"),
        ("gpt-4o", "max_tokens"),
        ("gpt-oss-120b", "max_tokens"),
        ("meta/llama-3.3-70b-instruct", "max_tokens"),
        ("olmo-3", "max_tokens"),
        ("mistral-large-latest", "max_tokens"),
    ],
)
def test_a_chat_without_a_maximum_gets_it_in_the_field_its_model_knows(model, field):
    assert sent(dialects.CHAT, model=model) == {"model": model, field: 100}


@pytest.mark.parametrize(
    ("dialect", "field"),
    [(dialects.RESPONSES, "max_output_tokens"), (dialects.MESSAGES, "max_tokens")],
)
def test_a_request_without_a_maximum_gets_one(dialect, field):
    assert sent(dialect)[field] == 100
    assert sent(dialect, **{field: None})[field] == 100


def test_the_usage_of_a_chat_stream_is_asked_for_and_other_options_survive():
    raw = b'{"model":"m","stream":true,"stream_options":{"include_obfuscation":false,"x":1e2}}'
    asked = dialects.CHAT.parse(raw)
    assert not asked.usage_requested
    out = dialects.CHAT.provider_body(
        asked, model="m", facts=facts_by_name("m"), output_tokens_max=1
    )
    options = b'"stream_options":{"include_obfuscation":false,"x":1e2,"include_usage":true}'
    assert options in out


def test_a_client_that_asks_for_usage_itself_is_noticed():
    asked = parsed(dialects.CHAT, stream=True, stream_options={"include_usage": True})
    assert asked.usage_requested


def test_the_options_of_a_client_that_asks_itself_are_not_touched():
    options = b'"stream_options":{ "include_usage" : true }'
    asked = dialects.CHAT.parse(b'{"model":"m","stream":true,' + options + b"}")
    assert options in dialects.CHAT.provider_body(
        asked, model="m", facts=facts_by_name("m"), output_tokens_max=1
    )


def test_stream_options_are_added_only_where_they_are_known():
    assert "stream_options" not in sent(dialects.CHAT)
    assert "stream_options" in sent(dialects.CHAT, stream=True)
    assert "stream_options" not in sent(dialects.CHAT, stream=True, model="codestral-latest")
    assert "stream_options" in sent(dialects.CHAT, stream=True, model="mistralai/codestral")
    assert "stream_options" not in sent(dialects.RESPONSES, stream=True)
    assert "stream_options" not in sent(dialects.MESSAGES, stream=True)


def test_routes_without_output_are_sent_without_a_maximum():
    for dialect in (dialects.EMBEDDINGS, dialects.COUNT_TOKENS):
        assert sent(dialect, input="x") == {"model": "real", "input": "x"}
