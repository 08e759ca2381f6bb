"""The dialects: what metering needs of each route's requests, and how its answers report usage.

One instance per route; they keep nothing between calls. A stream is cut into events by `Splitter`
and each event is fed to the dialect's meter.
"""

from gateway.dialects.base import CallParameters, Dialect, StreamMeter, UsageReport
from gateway.dialects.chat import Chat
from gateway.dialects.completions import Completions
from gateway.dialects.count_tokens import CountTokens
from gateway.dialects.embeddings import Embeddings
from gateway.dialects.input_tokens import InputTokens
from gateway.dialects.messages import Messages
from gateway.dialects.responses import Responses
from gateway.dialects.sse import EventTooLong, Splitter

CHAT = Chat()
COMPLETIONS = Completions()
RESPONSES = Responses()
EMBEDDINGS = Embeddings()
MESSAGES = Messages()
COUNT_TOKENS = CountTokens()
INPUT_TOKENS = InputTokens()
DIALECTS: tuple[Dialect, ...] = (
    CHAT,
    COMPLETIONS,
    RESPONSES,
    EMBEDDINGS,
    MESSAGES,
    COUNT_TOKENS,
    INPUT_TOKENS,
)


def wire_format_of(path: str) -> str:
    """The wire format of a path at Butler, also of one below a route; OpenAI's for any other."""
    wire_formats = (each.wire_format for each in DIALECTS if path.startswith(f"/v1{each.path}"))
    return next(wire_formats, "openai")


__all__ = [
    "CHAT",
    "COMPLETIONS",
    "COUNT_TOKENS",
    "DIALECTS",
    "EMBEDDINGS",
    "INPUT_TOKENS",
    "MESSAGES",
    "RESPONSES",
    "CallParameters",
    "Dialect",
    "EventTooLong",
    "Splitter",
    "StreamMeter",
    "UsageReport",
    "wire_format_of",
]
