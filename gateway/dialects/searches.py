"""Web searches by the provider that a request allows, with a maximum of their number.

Anthropic's tool takes `max_uses`, a response of OpenAI `max_tool_calls`. Where the client set none,
Butler does. Chat has a field instead, `web_search_options`: models that take it search once.
"""

import re
from typing import NamedTuple

import msgspec
from django.conf import settings
from msgspec import Raw

from gateway.dialects.json_body import whole_number_of
from gateway.dialects.unsupported import HostedTool, Tool
from gateway.refusals import InvalidRequest

OPTIONS = "web_search_options"
MAX_TOOL_CALLS = "max_tool_calls"
# As a price calls the kind of search of OpenAI's older tool.
_PREVIEW = "preview"
_OPENAI = re.compile(r"web_search(_preview)?(_\d{4}_\d\d_\d\d)?")
_ANTHROPIC = re.compile(r"web_search_\d{8}")
_SEARCHES_MAX = 1_000


class Searches(NamedTuple):
    """The searches that a request allows.

    `most`: how many. `tool`: the type of the tool, and `field` where it is, for a refusal. `kind`:
    the kind of search, if it has a price of its own.
    """

    most: int
    tool: str
    field: str
    kind: str = ""


def openai_search_tool(tool: Tool) -> bool:
    """Whether it is OpenAI's web search."""
    return _OPENAI.fullmatch(tool.type or "") is not None


def anthropic_search_tool(tool: Tool) -> bool:
    """Whether it is Anthropic's web search."""
    return _ANTHROPIC.fullmatch(tool.type or "") is not None


def searches_of_response(fields: dict[str, Raw], tools: list[HostedTool]) -> Searches | None:
    """The searches that a response may make. Sets `max_tool_calls` if the client did not.

    Refusals: InvalidRequest.
    """
    if not tools:
        return None
    most = whole_number_of(fields, MAX_TOOL_CALLS, most=_SEARCHES_MAX)
    if most is None:
        most = settings.GATEWAY_SEARCHES_MAX
        fields[MAX_TOOL_CALLS] = Raw(str(most).encode())
    is_preview = any(str(tool.type).startswith("web_search_preview") for _, tool in tools)
    return _searches(tools, most, _PREVIEW if is_preview else "")


def searches_of_message(fields: dict[str, Raw], tools: list[HostedTool]) -> Searches | None:
    """The searches that a message may make. Sets `max_uses` of tools for which the client did not.

    Refusals: InvalidRequest.
    """
    if not tools:
        return None
    uses = {number: _max_uses(number, tool) for number, tool in tools}
    missing = [number for number, most in uses.items() if most is None]
    if missing:
        written = msgspec.json.decode(fields["tools"], type=list[dict[str, Raw]])
        for number in missing:
            written[number]["max_uses"] = Raw(str(settings.GATEWAY_SEARCHES_MAX).encode())
        fields["tools"] = Raw(msgspec.json.encode(written))
    most = sum(settings.GATEWAY_SEARCHES_MAX if one is None else one for one in uses.values())
    return _searches(tools, most)


def searches_of_chat() -> Searches:
    """What `web_search_options` mean: the model searches with the request, at the request's fee."""
    return Searches(0, OPTIONS, OPTIONS)


def _searches(tools: list[HostedTool], most: int, kind: str = "") -> Searches:
    number, tool = tools[0]
    return Searches(most, tool.type or "", f"tools[{number}]", kind)


def _max_uses(number: int, tool: Tool) -> int | None:
    most = tool.max_uses
    if most is not None and not (type(most) is int and 1 <= most <= _SEARCHES_MAX):
        raise InvalidRequest(
            f"`max_uses` must be a whole number from 1 to {_SEARCHES_MAX}.",
            field=f"tools[{number}]",
        )
    return most
