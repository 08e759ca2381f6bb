"""What a dialect is: everything the gateway must know of one route's requests and answers.

A dialect is pure: bytes in, values out; it knows no network, no books, no clock.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from msgspec import Raw

from keys.services import Usage


@dataclass(slots=True, kw_only=True)
class Asked:
    """A request as far as metering needs it.

    `fields`: the top level of the body; values are untouched JSON, so what Butler does not know
    survives byte for byte. `output_tokens_max`: the most one answer may have, as asked for; None
    when nothing was said. `output_tokens_least`: below this the provider would refuse the request.
    `choices`: how many answers are asked for. `usage_asked`: whether a stream's client wants the
    usage itself.
    """

    fields: dict[str, Raw]
    model: str
    stream: bool = False
    output_tokens_max: int | None = None
    output_tokens_least: int = 1
    choices: int = 1
    usage_asked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What a provider said a call used. `provider_cost`: USD, if it said that too."""

    usage: Usage
    provider_cost: Decimal | None = None
    provider_request_id: str = ""


class StreamMeter(Protocol):
    """Watches one stream go by, event after event.

    `reported` is the usage once the provider said it. `ended` is true once the event that closes a
    complete answer was seen. `failed`: an event said that the provider gave up.
    """

    reported: Reported | None
    ended: bool
    failed: bool

    def feed(self, event: bytes) -> bytes:
        """Take one whole event with its blank line; what the client shall get of it (or b"")."""

    def evidence(self, *, model: str) -> Usage | None:
        """The best that is known without the final usage: input if the provider said it, and what
        was produced so far, counted; None when nothing was produced and nothing said. May take a
        while for long answers. Reasoning that a provider does not show is not in it."""


class Dialect(Protocol):
    """One route's way of asking and answering.

    `wire_format`: "openai" or "anthropic", whose error shape and headers it has. `path`: below the
    provider's base URL. `spends`: whether its calls cost tokens.
    """

    wire_format: str
    path: str
    spends: bool

    def parse(self, body: bytes) -> Asked:
        """Take a body apart. Refusals: Unreadable, CannotBeBounded."""

    def input_bound(self, asked: Asked, *, model: str) -> int:
        """The most input tokens `model` can count for it. May take a while for long texts."""

    def rewritten(self, asked: Asked, *, model: str, output_tokens_max: int) -> bytes:
        """The body for the provider: its own model name, the output clamped per answer, the usage
        of a stream asked for; everything else as it came."""

    def reported(self, answer: bytes) -> Reported | None:
        """The usage in a whole answer; None when it has none that can be believed."""

    def produced(self, answer: bytes, *, model: str) -> int:
        """Output tokens counted from a whole answer's content, for want of its usage."""

    def meter(self, asked: Asked) -> StreamMeter:
        """A meter for one stream."""
