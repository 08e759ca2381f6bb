"""The routes of the sandbox: one module for each, all of one shape (`Route`)."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from gateway.sandbox.reply import Reply
from gateway.sandbox.request_fields import SandboxRequest


class Event(NamedTuple):
    """One event of a stream: its name, which may be empty, and its data.

    `produced`: visible output tokens up to this event. `final_usage`: it has the final usage.
    """

    name: str
    data: Any
    produced: int
    final_usage: bool = False


class Route(Protocol):
    """A module that reads the requests of one route and writes its replies.

    `PREFIX`: how the ids of its answers begin. `PRODUCES`: its answers have output tokens. `BILLS`:
    its calls cost anything.
    """

    @property
    def WIRE_FORMAT(self) -> str: ...
    @property
    def PREFIX(self) -> str: ...
    @property
    def PRODUCES(self) -> bool: ...
    @property
    def BILLS(self) -> bool: ...

    def read(self, body: dict[str, Any]) -> SandboxRequest:
        """Parse a request body. Errors: InvalidRequest."""

    def whole(self, reply: Reply) -> dict[str, Any]:
        """The body of an answer that is not a stream."""


class StreamingRoute(Route, Protocol):
    """A route that also streams."""

    def events(self, reply: Reply) -> Iterator[Event]:
        """The events of a stream."""

    def failure(self, reply: Reply, after: int) -> Event:
        """The event of a provider that gives up, after so many events."""
