"""Refuse tools and edits that can cost more than the tokens held for a call.

Tools that the provider runs call the model again with every use and are billed per use.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from django.conf import settings
from msgspec import Raw

from common.bytes_cache import cached_within_bytes
from gateway import bounds
from gateway.dialects.json_body import DECODE_ERRORS, check_entries, folded_name, value_of
from gateway.refusals import CannotBeBounded, InvalidRequest

_OPENAI_CLIENT_TOOLS = frozenset(
    {"function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview"}
)
_ANTHROPIC_CLIENT_TOOLS = ("custom", "bash_", "text_editor_", "computer_", "memory_")


class Tool(msgspec.Struct):
    """The fields that decide who runs a tool; its schema is not read."""

    type: str | None = None
    execution: str | None = None
    environment: Any = None
    tools: list["Tool"] | None = None
    max_uses: Any = None


# A tool that the provider runs, and its place among the tools.
HostedTool = tuple[int, Tool]

_TOOL_FIELDS = frozenset(Tool.__struct_fields__)
_TOOL_SPELLINGS = {folded_name(name): name for name in _TOOL_FIELDS}
_decode_tools = msgspec.json.Decoder(list[Tool] | None).decode


def _no_tool(tool: Tool) -> bool:
    return False


def refuse_tools(
    fields: dict[str, Raw],
    *,
    runs_at_client: Callable[[Tool], bool],
    is_search: Callable[[Tool], bool] = _no_tool,
) -> list[HostedTool]:
    """Refuse tools that the provider runs, except web searches, which are returned.

    Refusals: CannotBeBounded, InvalidRequest.
    """
    searches = []
    for number, tool in enumerate(_tools(fields)):
        if is_search(tool):
            searches.append((number, tool))
        elif not runs_at_client(tool):
            raise CannotBeBounded(
                f"The provider runs tools of type {tool.type!r}, at a cost that the tokens held for"
                f" the call do not cover. {_alternative(tool.type)}",
                field=f"tools[{number}]",
                tool=tool.type,
            )
    return searches


def _tools(fields: dict[str, Raw]) -> list[Tool]:
    if "tools" not in fields:
        return []
    try:
        return _read_tools(bytes(fields["tools"]))
    except DECODE_ERRORS as error:
        raise InvalidRequest(f"`tools` must be a list of tools: {error}.", field="tools") from None


# A session sends the same tools with every call.
@cached_within_bytes
def _read_tools(raw: bytes) -> list[Tool]:
    check_entries({"tools": Raw(raw)}, "tools", most=settings.GATEWAY_TOOLS_MAX)
    tools = _decode_tools(raw) or []
    bounds.check_unique_names(raw, "tools")
    for tool in msgspec.json.decode(raw, type=list[dict[str, Raw]] | None) or []:
        # A provider that ignores the case of names would see another tool.
        for name in tool:
            if (spelled := _TOOL_SPELLINGS.get(folded_name(name), name)) != name:
                raise InvalidRequest(f"Write `{name}` as `{spelled}`.", field="tools")
    return tools


def _alternative(kind: str | None) -> str:
    if kind is None:
        return "Give each tool a `type`."
    if kind.startswith("web_search"):
        return "Leave it out, or search in the client with a function of your own."
    return "Leave it out, or run it in the client as a function of your own."


def openai_client_tool(tool: Tool) -> bool:
    """Whether the client runs this tool of chat or responses."""
    match tool.type:
        case "namespace":
            inner_tools = tool.tools or []
            return bool(inner_tools) and all(map(openai_client_tool, inner_tools))
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

    Refusals: CannotBeBounded, InvalidRequest.
    """
    management = value_of(fields, "context_management")
    edits = management.get("edits") if isinstance(management, dict) else None
    for edit in edits if isinstance(edits, list) else []:
        kind = edit.get("type") if isinstance(edit, dict) else None
        if not (isinstance(kind, str) and kind.startswith("clear_")):
            raise CannotBeBounded(
                f"The edit {kind!r} is not supported. Compaction by the provider is another call."
                " Compact in the client.",
                field="context_management",
            )
