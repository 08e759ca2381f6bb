"""What templates add to the texts of a request: roles, tools, schemas, system messages.

Sources: OpenAI's cookbook "How to count tokens with tiktoken" (3 tokens a message, 1 a name, 3 to
begin the answer; 7 to 10 a function and 12 after them, 3 per property and per value of an enum);
the harmony format of gpt-oss and the chat templates of Llama, Qwen, DeepSeek, GLM and Mistral (a
system message and instructions for tools of their own); Anthropic's table of system prompts for
tool use (313 to 804 tokens) and for its own client tools (up to 735 each, 499 for computer use).
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from common.bytes_cache import cached_within_bytes
from gateway.bounds.json_values import as_list, json_of, parameters_max, value_of
from gateway.bounds.tokenizers import text_tokens_max
from keys.supply.model_facts import ModelFacts

# Around every message; the text of its role is counted separately.
MESSAGE = 4

# Around a call of a tool, and once more if there are several (multi_tool_use.parallel).
CALL = 16
CALLS = 32

_SCHEMA = 64
_REQUEST_AT_OPENAI = 16
_REQUEST_ELSEWHERE = 320
_TOOLS_AT_OPENAI = 64
_TOOLS_ELSEWHERE = 1024
_TOOL = 16
_LINE = 2
_CHOICE = 3
_PREDEFINED_TOOL = 1536
_PLAIN_TOOLS = ("None", "function", "custom", "namespace")


def request_max(*, model: ModelFacts) -> int:
    """What a template writes once: the head of the answer and a system message of its own."""
    return _REQUEST_AT_OPENAI if model.short_template else _REQUEST_ELSEWHERE


def tools_max(fields: Mapping[str, Any], *, model: ModelFacts, name: str = "tools") -> int:
    """The most tokens of the definitions of tools and of what a provider writes around them.

    Refusals: InvalidRequest.
    """
    raw = fields.get(name)
    # A session sends the same tools with every call. They are counted before other texts of it, so
    # that what is remembered does not depend on these.
    return (
        _raw_tools_max(bytes(raw), name, model)
        if isinstance(raw, Raw)
        else _definitions_max(raw, model)
    )


@cached_within_bytes
def _raw_tools_max(raw: bytes, name: str, model: ModelFacts) -> int:
    return _definitions_max(value_of({name: Raw(raw)}, name), model)


def _definitions_max(definitions: Any, model: ModelFacts) -> int:
    tools = as_list(definitions)
    if not tools:
        return 0
    once = _TOOLS_AT_OPENAI if model.short_template else _TOOLS_ELSEWHERE
    # Written as TypeScript, every line of a description begins with the slashes of a comment.
    text = json_of(tools)
    lines = text.count("\\n")
    predefined = sum(_PREDEFINED_TOOL for tool in tools if _is_predefined(tool))
    return (
        text_tokens_max(text, model=model)
        + (once + predefined + _TOOL * len(tools))
        + (_LINE * lines + _CHOICE * _choices_in(tools))
    )


def call_max(arguments: Any, *, model: ModelFacts) -> int:
    """What is written around a call of a tool and around each of its `arguments` (JSON)."""
    if model.short_template or not isinstance(arguments, str):
        return CALL
    return CALL + parameters_max(arguments)


def schema_max(schema: Any, *, model: ModelFacts) -> int:
    """The most tokens of the JSON schema that the answer must match."""
    return text_tokens_max(json_of(schema), model=model) + _SCHEMA if schema else 0


def _is_predefined(tool: Any) -> bool:
    """Whether the provider adds a definition of its own (`bash_20250124`, `computer`)."""
    return isinstance(tool, dict) and str(tool.get("type")) not in _PLAIN_TOOLS


def _choices_in(tools: Any) -> int:
    total, rest = 0, [tools]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            choices = value.get("enum")
            total += len(choices) if isinstance(choices, list) else 0
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)
    return total
