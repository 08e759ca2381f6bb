"""What a dialect refuses because no tokens set aside would cover it, and what passes."""

import pytest

from gateway import dialects
from gateway.refusals import CannotBeBounded, InvalidRequest
from tests.gateway.routes import parsed, sent, spending


@pytest.mark.parametrize(
    ("dialect", "field", "value"),
    [
        (dialects.CHAT, "web_search_options", {"search_context_size": "low"}),
        (dialects.CHAT, "search_parameters", {"mode": "auto"}),
        (dialects.CHAT, "plugins", [{"id": "web"}]),
        (dialects.CHAT, "models", ["a", "b"]),
        (dialects.CHAT, "preset", "mine"),
        (dialects.CHAT, "chat_template", "{% for i in range(10**9) %}x{% endfor %}"),
        (dialects.CHAT, "best_of", 5),
        (dialects.CHAT, "service_tier", "priority"),
        (dialects.CHAT, "service_tier", ["priority"]),
        (dialects.RESPONSES, "background", True),
        (dialects.RESPONSES, "previous_response_id", "resp_1"),
        (dialects.RESPONSES, "conversation", "conv_1"),
        (dialects.RESPONSES, "conversation", {"id": "conv_1"}),
        (dialects.RESPONSES, "prompt", {"id": "pmpt_1"}),
        (dialects.RESPONSES, "context_management", [{"type": "compaction"}]),
        (dialects.RESPONSES, "service_tier", "fast"),
        (dialects.MESSAGES, "mcp_servers", [{"type": "url"}]),
        (dialects.MESSAGES, "container", "c_1"),
        (dialects.MESSAGES, "speed", "fast"),
        (dialects.MESSAGES, "inference_geo", "us"),
        (dialects.MESSAGES, "context_management", {"edits": [{"type": "compact_20260112"}]}),
        (dialects.EMBEDDINGS, "service_tier", "priority"),
    ],
)
def test_what_costs_more_than_tokens_is_refused(dialect, field, value):
    with pytest.raises(CannotBeBounded) as refusal:
        parsed(dialect, **{field: value})
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [
        (dialects.CHAT, "web_search"),
        (dialects.CHAT, "browser_search"),
        (dialects.CHAT, "openrouter:web_search"),
        (dialects.CHAT, "code_interpreter"),
        *[
            (dialects.RESPONSES, kind)
            for kind in (
                "web_search",
                "web_search_2025_08_26",
                "web_search_preview",
                "file_search",
                "code_interpreter",
                "image_generation",
                "mcp",
                "shell",
                "tool_search",
                "programmatic_tool_calling",
            )
        ],
        *[
            (dialects.MESSAGES, kind)
            for kind in (
                "web_search_20260318",
                "web_fetch_20250910",
                "code_execution_20250825",
                "advisor_20260301",
                "tool_search_tool_regex_20251119",
                "mcp_toolset",
            )
        ],
    ],
)
def test_tools_the_provider_runs_are_refused(dialect, kind):
    tools = [{"type": "custom", "name": "mine"}, {"type": kind, "name": "theirs"}]
    with pytest.raises(CannotBeBounded) as refusal:
        parsed(dialect, tools=tools)
    assert refusal.value.facts() == {"field": "tools[1]", "tool": kind}


def test_a_hosted_tool_hidden_in_a_namespace_or_a_hosted_shell_is_refused():
    for tool in (
        {"type": "namespace", "name": "n", "tools": [{"type": "web_search"}]},
        {"type": "namespace", "name": "n", "tools": []},
        {"type": "shell", "environment": {"type": "container_auto"}},
        {"type": "tool_search", "execution": "server"},
        {"name": "no type"},
    ):
        with pytest.raises(CannotBeBounded):
            parsed(dialects.RESPONSES, tools=[tool])


@spending
def test_a_tool_that_says_its_type_twice_is_refused(dialect):
    with pytest.raises(InvalidRequest, match="twice"):
        dialect.parse(b'{"model":"m","tools":[{"type":"web_search","type":"custom"}]}')


def test_the_refusal_of_a_search_says_what_to_change_in_codex():
    search = {"type": "web_search", "external_web_access": False}
    with pytest.raises(CannotBeBounded, match='web_search = "disabled"'):
        parsed(dialects.RESPONSES, tools=[search])


@pytest.mark.parametrize(
    ("dialect", "tool"),
    [
        (dialects.CHAT, {"type": "function", "function": {"name": "f"}}),
        (dialects.CHAT, {"type": "custom", "custom": {"name": "f"}}),
        (dialects.RESPONSES, {"type": "function", "name": "f", "parameters": {}}),
        (dialects.RESPONSES, {"type": "custom", "name": "f", "format": {"type": "grammar"}}),
        (dialects.RESPONSES, {"type": "local_shell"}),
        (dialects.RESPONSES, {"type": "apply_patch"}),
        (dialects.RESPONSES, {"type": "computer_use_preview", "environment": "browser"}),
        (dialects.RESPONSES, {"type": "shell", "environment": {"type": "local"}}),
        (dialects.RESPONSES, {"type": "tool_search", "execution": "client"}),
        (
            dialects.RESPONSES,
            {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]},
        ),
        (dialects.MESSAGES, {"name": "f", "input_schema": {"type": "object"}}),
        (dialects.MESSAGES, {"type": "custom", "name": "f"}),
        (dialects.MESSAGES, {"type": "bash_20250124", "name": "bash"}),
        (dialects.MESSAGES, {"type": "text_editor_20250728", "name": "edit"}),
        (dialects.MESSAGES, {"type": "computer_20251124", "name": "computer"}),
        (dialects.MESSAGES, {"type": "memory_20250818", "name": "memory"}),
    ],
)
def test_tools_the_client_runs_pass(dialect, tool):
    assert sent(dialect, tools=[tool])["tools"] == [tool]


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (dialects.CHAT, {"store": True, "service_tier": "flex", "web_search_options": None}),
        (dialects.RESPONSES, {"background": False, "previous_response_id": None, "store": False}),
        (dialects.MESSAGES, {"service_tier": "standard_only", "speed": "standard"}),
        (
            # As Claude Code sends it.
            dialects.MESSAGES,
            {
                "thinking": {"type": "adaptive"},
                "context_management": {
                    "edits": [{"type": "clear_thinking_20251015", "keep": "all"}]
                },
                "output_config": {"effort": "high"},
                "metadata": {"user_id": '{"session_id":"s"}'},
            },
        ),
        (
            # As Codex sends it.
            dialects.RESPONSES,
            {
                "tool_choice": "auto",
                "parallel_tool_calls": True,
                "reasoning": {"summary": "auto"},
                "include": ["reasoning.encrypted_content"],
                "prompt_cache_key": "k",
                "client_metadata": {"a": "b"},
            },
        ),
    ],
)
def test_settings_that_cost_nothing_pass_as_they_are(dialect, fields):
    assert fields.items() <= sent(dialect, **fields).items()


@pytest.mark.parametrize("name", ["Type", "TYPE", "Execution", "Tools"])
def test_a_tool_that_some_would_read_as_another_is_refused(name):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"Type": "fine"}}}
    parsed(dialects.CHAT, tools=[tool])
    with pytest.raises(InvalidRequest) as refusal:
        parsed(dialects.CHAT, tools=[{**tool, name: "web_search"}])
    assert refusal.value.field == "tools"
