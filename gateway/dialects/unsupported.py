"""What cannot be let through: whatever costs more than the tokens set aside for a call.

Tools that the provider runs itself sample the model again with every use and are paid per use;
what is kept at the provider (earlier answers, prompts, containers) has a size Butler cannot know.
"""

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

from gateway import bounds
from gateway.dialects.json_body import BROKEN, value_of
from gateway.refusals import CannotBeBounded, Unreadable

_SETTINGS_OFF = (None, False, [], {}, "")

# The tiers that cost the ordinary price or less.
_TIERS = frozenset({None, "auto", "default", "standard", "standard_only", "flex", "on_demand"})

_OPENAI_CLIENT_TOOLS = frozenset(
    {"function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview"}
)
_ANTHROPIC_CLIENT_TOOLS = ("custom", "bash_", "text_editor_", "computer_", "memory_")

_SEARCH = (
    "Searches at the provider cost more than tokens; give the model a search tool of your own"
    " as a function"
)
_KEPT = "send what is needed in the request itself"

CHAT = {
    "web_search_options": f"{_SEARCH}.",
    "search_parameters": f"{_SEARCH}.",
    "plugins": "Plugins of the provider cost more than tokens; use tools of your own.",
    "models": "Other models have other prices; ask for one model.",
    "preset": "What a preset adds to the request is kept at the provider; write it out.",
    "chat_template": "A template can write more than it is given; the model has its own.",
    "best_of": "What is written and not returned cannot be counted; use `n`.",
}
RESPONSES = {
    "background": "A call in the background cannot be watched to its end; use `stream` instead.",
    "previous_response_id": f"The size of an earlier answer is unknown; {_KEPT}.",
    "conversation": f"The size of a kept conversation is unknown; {_KEPT}.",
    "prompt": f"The size of a kept prompt is unknown; {_KEPT}.",
    "context_management": "Compaction by the provider is one more call; compact in the client.",
    "plugins": CHAT["plugins"],
    "models": CHAT["models"],
    "search_parameters": CHAT["search_parameters"],
}
MESSAGES = {
    "mcp_servers": "The provider would call these servers and sample again; connect to them in"
    " the client.",
    "container": f"What runs in a container is paid by time; {_KEPT}.",
    "compaction": "Compaction by the provider is one more call; compact in the client.",
}


class Tool(msgspec.Struct):
    """What tells who runs a tool; its schema is not read."""

    type: str | None = None
    execution: str | None = None
    environment: Any = None
    tools: list["Tool"] | None = None


_TELLING = frozenset(Tool.__struct_fields__)
_decode_tools = msgspec.json.Decoder(list[Tool] | None).decode


def refuse_settings(fields: dict[str, Raw], sentences: dict[str, str]) -> None:
    """Refuse any of these fields that is set. Refusals: CannotBeBounded."""
    for name in sentences.keys() & fields.keys():
        if value_of(fields, name) not in _SETTINGS_OFF:
            raise CannotBeBounded(f"`{name}` is refused. {sentences[name]}", field=name)


def refuse_value(fields: dict[str, Raw], name: str, *, known: Collection[Any], why: str) -> None:
    """Refuse any other value than those of known price. Refusals: CannotBeBounded."""
    value = value_of(fields, name)
    if not (value is None or isinstance(value, str)) or value not in known:
        raise CannotBeBounded(f"`{name}` {value!r} is refused. {why}", field=name)


def refuse_tier(fields: dict[str, Raw]) -> None:
    """Refuse tiers with prices of their own. Refusals: CannotBeBounded."""
    why = "It has a price of its own; leave the field out."
    refuse_value(fields, "service_tier", known=_TIERS, why=why)


def refuse_tools(fields: dict[str, Raw], *, runs_at_client: Callable[[Tool], bool]) -> None:
    """Refuse tools that the provider runs. Refusals: CannotBeBounded, Unreadable."""
    for number, tool in enumerate(_tools(fields)):
        if not runs_at_client(tool):
            raise CannotBeBounded(
                f"A tool of type {tool.type!r} is run by the provider, at a cost that tokens set"
                f" aside do not cover. {_instead(tool.type)}",
                field=f"tools[{number}]",
                tool=tool.type,
            )


def _tools(fields: dict[str, Raw]) -> list[Tool]:
    if "tools" not in fields:
        return []
    try:
        return _read_tools(bytes(fields["tools"]))
    except BROKEN as error:
        raise Unreadable(f"`tools` must be a list of tools: {error}.", field="tools") from None


# A session sends the same tools with every call.
@lru_cache(maxsize=128)
def _read_tools(raw: bytes) -> list[Tool]:
    tools = _decode_tools(raw) or []
    bounds.check_said_once(raw, "tools")
    for tool in msgspec.json.decode(raw, type=list[dict[str, Raw]] | None) or []:
        # A reader that does not mind capitals would see another tool.
        if odd := [name for name in tool if name.lower() in _TELLING and name not in _TELLING]:
            raise Unreadable(f"Write {odd[0]!r} in small letters.", field="tools")
    return tools


def _instead(kind: str | None) -> str:
    if kind is None:
        return "Say the type of each tool."
    if kind.startswith("web_search"):
        return (
            "Leave it out, or search in the client by a function of your own. For Codex: set"
            ' web_search = "disabled" in its config.toml.'
        )
    return "Leave it out, or run it in the client as a function of your own."


def openai_client_tool(tool: Tool) -> bool:
    """Whether the client runs this tool of chat or responses."""
    match tool.type:
        case "namespace":
            return bool(tool.tools) and all(openai_client_tool(inner) for inner in tool.tools)
        case "shell":
            return isinstance(tool.environment, dict) and tool.environment.get("type") == "local"
        case "tool_search":
            return tool.execution == "client"
        case kind:
            return kind in _OPENAI_CLIENT_TOOLS


def anthropic_client_tool(tool: Tool) -> bool:
    """Whether the client runs this tool of messages."""
    return tool.type is None or tool.type.startswith(_ANTHROPIC_CLIENT_TOOLS)


def refuse_edits(fields: dict[str, Raw]) -> None:
    """Refuse edits of the context that are calls themselves; dropping old blocks costs nothing.

    Refusals: CannotBeBounded, Unreadable.
    """
    management = value_of(fields, "context_management")
    edits = management.get("edits") if isinstance(management, dict) else None
    for edit in edits if isinstance(edits, list) else []:
        kind = edit.get("type") if isinstance(edit, dict) else None
        if not (isinstance(kind, str) and kind.startswith("clear_")):
            raise CannotBeBounded(
                f"The edit {kind!r} is refused. {MESSAGES['compaction']}",
                field="context_management",
            )
