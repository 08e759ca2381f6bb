"""What a dialect takes from a request."""

import msgspec
import pytest

from gateway import dialects
from gateway.refusals import CannotBeBounded, InvalidRequest
from keys.supply.model_facts import facts_by_name
from tests.gateway.routes import conversing, every_dialect, parsed, read, sent, spending


@every_dialect
@pytest.mark.parametrize(
    "broken", [b"", b"[]", b"null", b'"x"', b"{", b'{"a":NaN}', b"\xff", b'{"a":' * 100_000]
)
def test_a_body_that_is_no_object_is_refused(dialect, broken):
    with pytest.raises(InvalidRequest) as refusal:
        dialect.parse(broken)
    assert refusal.value.field == "body"


@every_dialect
@pytest.mark.parametrize("model", [b"", b'"model":null', b'"model":""'])
def test_a_request_without_a_model_is_for_the_model_of_the_session(dialect, model):
    assert dialect.parse(b"{" + model + b"}").model == ""


@every_dialect
@pytest.mark.parametrize("model", [b"7", b"{}", b"[]", b"true", b'["gpt-4o"]'])
def test_a_model_that_is_no_name_is_refused(dialect, model):
    with pytest.raises(InvalidRequest) as refusal:
        dialect.parse(b'{"model":' + model + b"}")
    assert refusal.value.field == "model"


@pytest.mark.parametrize(
    ("dialect", "field", "value"),
    [
        (dialects.CHAT, "max_tokens", "10"),
        (dialects.CHAT, "max_tokens", 0),
        (dialects.CHAT, "max_tokens", -1),
        (dialects.CHAT, "max_tokens", 1.5),
        (dialects.CHAT, "max_tokens", 6000.0),
        (dialects.CHAT, "max_completion_tokens", True),
        (dialects.CHAT, "max_completion_tokens", 10**10),
        (dialects.CHAT, "n", 0),
        (dialects.CHAT, "n", 129),
        (dialects.CHAT, "n", 2.0),
        (dialects.CHAT, "stream", "true"),
        (dialects.CHAT, "tools", "all"),
        (dialects.CHAT, "tools", [1]),
        (dialects.RESPONSES, "max_output_tokens", 0),
        (dialects.RESPONSES, "stream", 1),
        (dialects.RESPONSES, "tools", {"type": "function"}),
        (dialects.MESSAGES, "max_tokens", -1),
        (dialects.MESSAGES, "max_tokens", [5]),
        (dialects.MESSAGES, "thinking", "lots"),
        (dialects.MESSAGES, "tools", 3),
    ],
)
def test_a_field_metering_needs_must_have_a_usable_value(dialect, field, value):
    with pytest.raises(InvalidRequest) as refusal:
        parsed(dialect, **{field: value})
    assert refusal.value.field == field


@every_dialect
def test_null_is_the_same_as_nothing(dialect):
    names = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "stream", "tools")
    asked = parsed(dialect, **dict.fromkeys(names))
    assert asked.output_tokens_max == parsed(dialect).output_tokens_max
    assert (asked.choices, asked.stream) == (1, False)


@pytest.mark.parametrize("number", [b"1e3", b"NaN", b"Infinity", b"0x10", b"01"])
def test_a_maximum_that_is_written_in_another_way_is_refused(number):
    with pytest.raises(InvalidRequest):
        dialects.CHAT.parse(b'{"model":"a","max_tokens":' + number + b"}")


def test_the_options_of_a_stream_must_be_an_object():
    with pytest.raises(InvalidRequest):
        parsed(dialects.CHAT, stream=True, stream_options=[1])


def test_a_thinking_budget_must_be_a_number():
    with pytest.raises(InvalidRequest):
        parsed(dialects.MESSAGES, max_tokens=10, thinking={"budget_tokens": "all"})


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("Max_Tokens", "max_tokens"),
        ("TOOLS", "tools"),
        ("maxTokens", "max_tokens"),
        ("max-completion-tokens", "max_completion_tokens"),
        ("max_token\u017f", "max_tokens"),
        ("to\u212aens", None),
        ("\uff4d\uff4f\uff44\uff45\uff4c", "model"),
        ("serv\u0131ce_tier", "service_tier"),
        ("SERV\u0130CE_TIER", "service_tier"),
        ("mode\u0301l", "model"),
        ("\u200bstream", "stream"),
        ("\u24dd", "n"),
        ("n\0", "n"),
        ("WEB_search_options", "web_search_options"),
        ("x" * 10**5, None),
    ],
)
def test_a_field_that_some_providers_read_otherwise_must_be_spelled_right(spelled, name):
    escaped = msgspec.json.encode({spelled: None}).replace(b"T", rb"\u0054")
    for body in (msgspec.json.encode({spelled: None}), escaped):
        if name is None:
            assert spelled in read(dialects.CHAT, body).fields
            continue
        with pytest.raises(InvalidRequest, match=f"Write `.*` as `{name}`."):
            read(dialects.CHAT, body)
        with pytest.raises(InvalidRequest, match=f"Write `.*` as `{name}`."):
            read(dialects.CHAT, body, passed=(spelled,))


@pytest.mark.parametrize(
    "name", ["enable_ſearch", "ＥＮＡＢＬＥ_search", "Cached_Content", "cachedContent"]
)
def test_a_nested_switch_is_refused_however_it_is_spelled(name):
    with pytest.raises(CannotBeBounded):
        parsed(dialects.CHAT, on="google", extra_body={"google": {name: "x"}})


def test_of_a_repeated_field_the_last_one_counts_and_is_the_only_one_sent():
    raw = b'{"model":"a","max_tokens":5,"model":"b","max_tokens":9}'
    assert dialects.CHAT.parse(raw).model == "b"
    assert dialects.CHAT.parse(raw).output_tokens_max == 9
    assert sent(dialects.CHAT, raw, output_tokens_max=50)["max_tokens"] == 9


def test_the_smaller_of_two_maxima_bounds_a_chat():
    assert parsed(dialects.CHAT, max_tokens=50, max_completion_tokens=70).output_tokens_max == 50
    assert parsed(dialects.CHAT, max_tokens=None, max_completion_tokens=70).output_tokens_max == 70
    assert parsed(dialects.CHAT).output_tokens_max is None


def test_the_number_of_choices_is_read():
    assert parsed(dialects.CHAT, n=128).choices == 128
    assert parsed(dialects.CHAT, n=None).choices == 1


def test_what_an_answer_needs_at_least_is_known():
    assert parsed(dialects.CHAT).output_tokens_least == 1
    assert parsed(dialects.RESPONSES).output_tokens_least == 16
    assert parsed(dialects.RESPONSES, max_output_tokens=5).output_tokens_least == 5
    thinking = {"type": "enabled", "budget_tokens": 1024}
    asked = parsed(dialects.MESSAGES, max_tokens=4000, thinking=thinking)
    assert asked.output_tokens_least == 1025
    assert parsed(dialects.MESSAGES, max_tokens=4000).output_tokens_least == 1
    adaptive = {"type": "adaptive"}
    assert parsed(dialects.MESSAGES, max_tokens=9, thinking=adaptive).output_tokens_least == 1


def test_embeddings_and_counts_have_no_output():
    for dialect in (dialects.EMBEDDINGS, dialects.COUNT_TOKENS):
        asked = parsed(dialect)
        assert (asked.output_tokens_max, asked.output_tokens_least) == (0, 0)


def test_counting_tokens_spends_nothing():
    assert not dialects.COUNT_TOKENS.spends
    asked = parsed(dialects.COUNT_TOKENS, messages=[], tools=[{"type": "web_search_20250305"}])
    assert dialects.COUNT_TOKENS.input_bound(asked, model=facts_by_name("claude-opus-4-8")) == 0


@conversing
def test_input_is_bounded(dialect):
    words = "tokens " * 1000
    field = "input" if dialect is dialects.RESPONSES else "messages"
    asked = parsed(dialect, **{field: [{"role": "user", "content": words}]})
    assert 1000 <= dialect.input_bound(asked, model=facts_by_name("gpt-5.4")) < 3000
    assert dialect.input_bound(asked, model=facts_by_name("nobody-knows-1")) >= 7000


def test_embeddings_are_bounded():
    asked = parsed(dialects.EMBEDDINGS, input=["tokens " * 1000, "more"])
    assert (
        1000
        <= dialects.EMBEDDINGS.input_bound(asked, model=facts_by_name("text-embedding-3-small"))
        < 3000
    )


@spending
def test_texts_in_fields_of_other_providers_are_bounded_too(dialect):
    documents = [{"text": "tokens " * 1000}]
    asked = parsed(dialect, passed=("documents",), documents=documents)
    assert dialect.input_bound(asked, model=facts_by_name("gpt-5.4")) >= 1000
    assert dialect.input_bound(asked, model=facts_by_name("nobody-knows-1")) >= 7000


@conversing
def test_a_message_that_says_its_content_twice_is_refused_or_counts_both(dialect):
    said = b'[{"role":"user","content":"' + b"tokens " * 1000 + b'","content":""}]'
    field = b"input" if dialect is dialects.RESPONSES else b"messages"
    asked = dialect.parse(b'{"model":"m","' + field + b'":' + said + b"}")
    if dialect is not dialects.RESPONSES:
        assert dialect.input_bound(asked, model=facts_by_name("nobody-knows-1")) >= 7000
    with pytest.raises(InvalidRequest, match="twice"):
        dialect.input_bound(asked, model=facts_by_name("gpt-5.4"))
