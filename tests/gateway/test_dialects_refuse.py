"""What a dialect refuses because no tokens set aside would cover it, and what passes."""

import pytest

from gateway import dialects
from gateway.refusals import CannotBeBounded, InvalidRequest
from keys.supply.model_facts import facts_by_name
from tests.gateway.routes import every_spending, parsed, sent, spending


@pytest.mark.parametrize(
    ("dialect", "field", "value"),
    [
        (dialects.CHAT, "search_parameters", {"mode": "auto"}),
        (dialects.CHAT, "plugins", [{"id": "web"}]),
        (dialects.CHAT, "models", ["a", "b"]),
        (dialects.CHAT, "preset", "mine"),
        (dialects.CHAT, "chat_template", "{% for i in range(10**9) %}x{% endfor %}"),
        (dialects.CHAT, "best_of", 5),
        (dialects.CHAT, "service_tier", "priority"),
        (dialects.CHAT, "service_tier", ["priority"]),
        (dialects.RESPONSES, "background", True),
        (dialects.INPUT_TOKENS, "conversation", "conv_1"),
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
                "web_search_v2",
                "web_searches",
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
                "web_search",
                "web_search_2025",
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


ON = [
    ("search_parameters", {}),
    ("search_parameters", {"mode": "on"}),
    ("enable_search", True),
    ("search_options", {"forced_search": True}),
    ("web_search", {"enable": True}),
    ("web_search", {}),
    ("enable_enhancement", True),
    ("force_search_enhancement", True),
    ("with_search_enhance", True),
    ("data_sources", [{"type": "azure_search"}]),
    ("dataSources", [{"type": "AzureCognitiveSearch"}]),
    ("connectors", [{"id": "web-search"}]),
    ("compound_custom", {"tools": {"enabled_tools": ["web_search"]}}),
    ("plugins", ["plugin_web_search"]),
    ("fallbacks", ["gpt-5"]),
    ("context_window_fallback_dict", {"a": "b"}),
    ("models", ["a", "b"]),
    ("deferred", True),
    ("image_config", {"image_size": "4K"}),
    ("cached_content", "cachedContents/1"),
    ("extra_body", {"google": {"tools": [{"google_search": {}}]}}),
    ("extra_body", {"google": {"cached_content": "cachedContents/1"}}),
    ("extra_body", {"enable_search": True}),
    # Names that no list has.
    ("googleSearchRetrieval", {}),
    ("server_tools", ["browser"]),
    ("use_rag", 1),
    ("vector_store_ids", ["vs_1"]),
    ("internet-access", "on"),
    ("mcp", {"url": "https://mcp.example"}),
]


@every_spending
@pytest.mark.parametrize(("field", "value"), ON)
def test_what_the_provider_does_beside_the_model_is_refused(dialect, field, value):
    with pytest.raises(CannotBeBounded) as refusal:
        parsed(dialect, **{field: value})
    assert f"`{refusal.value.field}` is not supported." in refusal.value.detail


@pytest.mark.parametrize(
    "dialect", [dialects.RESPONSES, dialects.MESSAGES, dialects.COMPLETIONS, dialects.EMBEDDINGS]
)
def test_options_of_a_search_are_those_of_chat(dialect):
    with pytest.raises(CannotBeBounded) as refusal:
        parsed(dialect, web_search_options={})
    assert refusal.value.field == "web_search_options"


@pytest.mark.parametrize("options", [{}, {"search_context_size": "low"}, True])
def test_a_chat_with_options_of_a_search_may_search(options):
    assert parsed(dialects.CHAT, web_search_options=options).searches is not None
    for off in (None, False, [], {"enabled": False}):
        assert parsed(dialects.CHAT, web_search_options=off).searches is None


@every_spending
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("web_search_options", None),
        ("web_search_options", False),
        ("search_parameters", None),
        ("enable_search", False),
        ("web_search", {"enable": False}),
        ("web_search", {"enabled": False}),
        ("data_sources", []),
        ("plugins", None),
        ("fallbacks", []),
        ("repetition_penalty", 1.1),
        ("top_k", 40),
        ("min_p", 0.1),
        ("enable_thinking", False),
        ("reasoning", {"effort": "low", "exclude": True, "mode": "standard"}),
        ("metadata", {"anything": {"at": "all"}}),
    ],
)
def test_what_is_off_or_costs_nothing_passes_as_it_came(dialect, field, value):
    assert parsed(dialect, **{field: value}) and sent(dialect, **{field: value})[field] == value


@every_spending
@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("provider", {"only": ["azure"]}, "provider.only"),
        ("provider", {"sort": "price", "order": ["azure"]}, "provider.order"),
        ("provider", {"sort": "throughput"}, "provider.sort"),
        ("provider", {"sort": {"by": "latency"}}, "provider.sort.by"),
        ("provider", {"quantizations": ["fp32"]}, "provider.quantizations"),
        ("provider", {"preferred_min_throughput": 100}, "provider.preferred_min_throughput"),
        ("provider", {"of_tomorrow": True}, "provider.of_tomorrow"),
        ("provider", "azure", "provider"),
        ("provider", ["azure"], "provider"),
        ("provider", {"enabled": False, "only": ["azure"]}, "provider.enabled"),
        ("providerOptions", {"gateway": {"only": ["azure"]}}, "providerOptions"),
    ],
    ids=str,
)
def test_a_choice_of_dearer_hosts_is_refused(dialect, name, value, field):
    with pytest.raises(CannotBeBounded) as refusal:
        parsed(dialect, on="openrouter", **{name: value})
    assert refusal.value.field == field
    with pytest.raises(CannotBeBounded):
        parsed(dialect, **{name: value})


@every_spending
@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"sort": "price"},
        {"sort": {"by": "price"}, "only": None},
        {"ignore": ["azure"], "zdr": True, "data_collection": "deny", "allow_fallbacks": False},
        {"require_parameters": True, "max_price": {"prompt": 1, "completion": 2}},
    ],
    ids=str,
)
def test_conditions_of_hosts_pass(dialect, value):
    assert parsed(dialect, on="openrouter-2", provider=value)


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o-search-preview",
        "openai/gpt-4o-mini-search-preview-2025-03-11",
        "gpt-5-search-api",
        "sonar",
        "perplexity/sonar-pro",
        "sonar-deep-research",
        "groq/compound",
        "compound-beta-mini",
        "o4-mini-deep-research",
        "jina-deepsearch-v1",
        "openai/gpt-4o:online",
    ],
)
def test_models_that_always_search_are_known(model):
    assert facts_by_name(model).always_searches


@pytest.mark.parametrize(
    "model", ["gpt-4o", "deepseek-chat", "o3", "text-search-ada", "research-7b", "llama:free"]
)
def test_other_models_do_not_always_search(model):
    assert not facts_by_name(model).always_searches


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
    assert parsed(dialect, **fields)
    assert fields.items() <= sent(dialect, **fields).items()


@pytest.mark.parametrize(
    "name", ["Type", "TYPE", "Execution", "Tools", "tool\u017f", "t\uff59pe", "max-uses"]
)
def test_a_tool_that_some_would_read_as_another_is_refused(name):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"Type": "fine"}}}
    parsed(dialects.CHAT, tools=[tool])
    with pytest.raises(InvalidRequest) as refusal:
        parsed(dialects.CHAT, tools=[{**tool, name: "web_search"}])
    assert refusal.value.field == "tools"
