"""Fields that are not known for a provider are refused, unless its key lets them pass."""

import pytest
from django.utils import timezone

from alerts.models import Alert
from gateway.dialects import CHAT, COUNT_TOKENS, EMBEDDINGS, INPUT_TOKENS, MESSAGES, RESPONSES
from gateway.refusals import CannotBeBounded, InvalidRequest
from keys import services as keys
from keys.models import Charge
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gateway.routes import parsed
from tests.gateway.sandbox import running_sandbox
from tests.gateway.server import gateway_on, lend, supply

pytestmark = pytest.mark.django_db(transaction=True)
# S26: each makes a call dearer at some provider.
DEAR = [
    ("fallbacks", ["gpt-5"]),
    ("enable_search", True),
    ("extra_body", {"google": {"cached_content": "cachedContents/1"}}),
    ("compound_custom", {"tools": {"enabled_tools": ["web_search"]}}),
    ("image_config", {"image_size": "4K"}),
    ("of_tomorrow", 1),
]


@pytest.fixture(scope="module")
def sandbox():
    """A provider that bills these fields."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def gateway(sandbox, settings):
    """The gateway without a key."""
    with gateway_on(sandbox, settings) as running:
        yield running


@pytest.mark.parametrize("wire_format", ["openai", "anthropic"])
@pytest.mark.parametrize(("field", "value"), DEAR)
def test_a_field_that_makes_a_call_dearer_is_not_forwarded(
    gateway, sandbox, wire_format, field, value
):
    supply("key-1")
    answer = lend(gateway.url, wire_format=wire_format).call(**{field: value})
    assert (answer.status, answer.code) == (400, "cannot_be_bounded")
    assert f"`{field}" in answer.json["error"]["message"]
    assert not sandbox.log() and not Charge.objects.exists()


def test_a_field_that_the_operator_lets_pass_is_forwarded_and_paid(gateway, sandbox):
    supply("key-1", passed_fields=["of_tomorrow"])
    session = lend(gateway.url)
    assert session.call(of_tomorrow=True).status == 200
    (billed,) = sandbox.log()
    # What it cost was not held: the whole bill is recorded, and people are told.
    assert Charge.objects.get().tokens == billed["input"] + billed["output"] > 50_000
    assert Alert.objects.filter(kind="overrun").exists()
    assert_books_balance()
    assert session.call(of_today=True).code == "cannot_be_bounded"


def test_a_change_of_what_may_pass_counts_for_the_next_call(gateway):
    supply("key-1")
    session = lend(gateway.url)
    assert session.call(later=1).code == "cannot_be_bounded"
    change(passed_fields=["later"])
    assert session.call(later=1).status == 200
    change(passed_fields=[])
    assert session.call(later=1).code == "cannot_be_bounded"
    entry = AuditEntry.objects.filter(action="key.change").order_by("-pk")[0]
    assert (entry.before, entry.after) == ({"passed_fields": ["later"]}, {"passed_fields": []})


def change(**changes):
    keys.change_key("key-1", changes=changes, actor=ACTOR, reason="asked", now=timezone.now())


CLIENTS = {
    "openai": (
        CHAT,
        {"store": True, "metadata": {"a": "b"}, "user": "u", "prompt_cache_key": "k"}
        | {"safety_identifier": "s", "reasoning_effort": "low", "verbosity": "low", "n": 1}
        | {"stream": True, "stream_options": {"include_usage": True}, "logprobs": True}
        | {"modalities": ["text"], "prediction": {"type": "content", "content": "x"}},
    ),
    "langchain": (CHAT, {"parallel_tool_calls": False, "seed": 1, "max_completion_tokens": 9}),
    "aider": (
        CHAT,
        {"temperature": 0, "reasoning_effort": "high", "stop": ["x"]},
    ),
    "cline": (CHAT, {"reasoning_effort": "low", "include_reasoning": True, "tools": []}),
    "opencode": (CHAT, {"max_tokens": 32_000, "tool_choice": "auto", "top_p": 1}),
    "qwen code": (
        CHAT,
        {"enable_thinking": True, "top_k": 20, "repetition_penalty": 1.05}
        | {"metadata": {"sessionId": "s", "promptId": "p"}},
    ),
    "vllm": (
        CHAT,
        {"chat_template_kwargs": {"enable_thinking": False}, "guided_json": {"type": "object"}}
        | {"min_p": 0.1, "stop_token_ids": [1], "skip_special_tokens": False},
    ),
    "codex": (
        RESPONSES,
        {"instructions": "x", "store": False, "include": ["reasoning.encrypted_content"]}
        | {"reasoning": {"effort": "high", "summary": "auto"}, "text": {"verbosity": "low"}}
        | {"client_metadata": {"a": "b"}, "prompt_cache_key": "k", "tool_choice": "auto"},
    ),
    "claude code": (
        MESSAGES,
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "metadata": {"user_id": "{}"}}
        | {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}}
        | {"output_config": {"effort": "high"}, "max_tokens": 64_000, "temperature": 1},
    ),
    "claude code counts": (COUNT_TOKENS, {"system": "x", "tools": [], "tool_choice": None}),
    "openai counts": (INPUT_TOKENS, {"instructions": "x", "personality": "friendly"}),
    "llama-index": (EMBEDDINGS, {"dimensions": 256, "encoding_format": "base64", "user": "u"}),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_what_clients_send_is_known_for_every_provider(client):
    dialect, fields = CLIENTS[client]
    for provider in ("openai", "custom", "nvidia", "groq", "anthropic", "openrouter"):
        assert parsed(dialect, on=provider, **fields)


@pytest.mark.parametrize(
    ("provider", "fields"),
    [
        ("groq", {"reasoning_format": "parsed", "disable_tool_validation": True}),
        ("mistral", {"safe_prompt": True, "random_seed": 1, "prompt_mode": "reasoning"}),
        ("together-2", {"context_length_exceeded_behavior": "error"}),
        ("nvidia", {"nvext": {"top_k": 1, "guided_json": {}}}),
        ("deepseek", {"thinking": {"type": "disabled"}}),
        ("openrouter", {"usage": {"include": True}, "transforms": []}),
        ("perplexity", {"disable_search": True, "search_domain_filter": ["example.com"]}),
        ("google", {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}}),
        ("zai", {"tool_stream": True, "do_sample": False}),
    ],
)
def test_a_provider_s_own_fields_are_known_for_it_alone(provider, fields):
    assert parsed(CHAT, on=provider, **fields)
    if provider != "deepseek":
        with pytest.raises(CannotBeBounded):
            parsed(CHAT, on="custom", **fields)


@pytest.mark.parametrize(
    ("dialect", "fields", "sentence"),
    [
        (CHAT, {"temprature": 1}, "Did you mean `temperature`?"),
        (CHAT, {"max_output_tokens": 9}, "Did you mean `max_tokens`?"),
        (RESPONSES, {"max_tokens": 9}, "add it to `passed_fields` of the API key."),
        (CHAT, {"reasoning": {"efort": "low"}}, "`reasoning.efort` is not supported."),
        (CHAT, {"reasoning": {"mode": "pro"}}, "with the value 'pro'"),
        (CHAT, {"fallbacks": [{}]}, "Request one model."),
        (CHAT, {"x" * 10**6: 1}, "Leave it out"),
    ],
)
def test_a_refusal_says_what_to_do(dialect, fields, sentence):
    with pytest.raises(CannotBeBounded) as refusal:
        parsed(dialect, **fields)
    assert sentence in refusal.value.detail


@pytest.mark.parametrize("name", ["reasoning", "fallbacks", "of_tomorrow"])
def test_a_setting_of_more_bytes_than_any_needs_is_not_read(name):
    with pytest.raises(InvalidRequest, match="65,536 bytes"):
        parsed(CHAT, **{name: {"x": "y" * 65_536}})


@pytest.mark.parametrize(
    ("passed", "fields"),
    [
        ("provider.only", {"provider": {"only": ["x"], "sort": "price"}}),
        ("provider", {"provider": {"anything": 1}}),
        ("service_tier", {"service_tier": "priority"}),
        ("enable_search", {"enable_search": True}),
    ],
)
def test_an_operator_lets_one_field_pass_and_no_other(passed, fields):
    assert parsed(CHAT, on="openrouter", passed=(passed,), **fields)
    with pytest.raises(CannotBeBounded):
        parsed(CHAT, on="openrouter", passed=("another",), **fields)
    with pytest.raises(CannotBeBounded):
        parsed(CHAT, on="openrouter", passed=(passed,), fallbacks=["x"], **fields)
