"""What the sandbox sells: one module for each route, all of one shape (`Route`)."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from gateway.sandbox.reply import Reply
from gateway.sandbox.request_fields import Asked


class Event(NamedTuple):
    """One event of a stream: its name if it has one, its data; how many output tokens can be seen
    once it is there; whether it carries the final usage."""

    name: str
    data: Any
    produced: int
    final_usage: bool = False


class Route(Protocol):
    """A module that reads requests of one route and gives replies their form.

    `PREFIX` begins the ids of its answers. `PRODUCES`: it answers in output tokens; `BILLS`: a call
    costs anything at all. A route that streams has `events`, and `failure`: the event of a provider
    that gives up.
    """

    WIRE_FORMAT: str
    PREFIX: str
    PRODUCES: bool
    BILLS: bool

    def read(self, body: dict[str, Any]) -> Asked:
        """Take a request apart. Errors: Wrong."""

    def whole(self, reply: Reply) -> dict[str, Any]:
        """The body of an answer that is no stream."""

    def events(self, reply: Reply) -> Iterator[Event]:
        """The events of a stream."""

    def failure(self, reply: Reply, after: int) -> Event:
        """Instead of the rest of a stream, after so many events."""
