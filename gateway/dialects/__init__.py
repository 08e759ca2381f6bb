"""The dialects: what each route's requests need for metering, and how its answers say usage.

One instance per route; they keep nothing between calls. A stream is cut into events by `Splitter`
and each event is fed to the dialect's meter.
"""

from gateway.dialects.base import Asked, Dialect, Reported, StreamMeter
from gateway.dialects.chat import Chat
from gateway.dialects.count_tokens import CountTokens
from gateway.dialects.embeddings import Embeddings
from gateway.dialects.messages import Messages
from gateway.dialects.responses import Responses
from gateway.dialects.sse import Splitter, TooLong

CHAT = Chat()
RESPONSES = Responses()
EMBEDDINGS = Embeddings()
MESSAGES = Messages()
COUNT_TOKENS = CountTokens()

__all__ = [
    "CHAT",
    "COUNT_TOKENS",
    "EMBEDDINGS",
    "MESSAGES",
    "RESPONSES",
    "Asked",
    "Dialect",
    "Reported",
    "Splitter",
    "StreamMeter",
    "TooLong",
]
