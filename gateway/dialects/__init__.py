"""The dialects: what each route's requests need for metering, and how its answers say usage.

One instance per route; they keep nothing between calls.
"""

from gateway.dialects.base import Asked, Dialect, Reported, StreamMeter
from gateway.dialects.chat import Chat
from gateway.dialects.messages import Messages
from gateway.dialects.sse import Splitter, TooLong

CHAT = Chat()
MESSAGES = Messages()

__all__ = ["CHAT", "MESSAGES", "Asked", "Dialect", "Reported", "Splitter", "StreamMeter", "TooLong"]
