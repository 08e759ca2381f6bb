"""The protocol of dialects: what the gateway must know of one route's requests and answers.

A dialect is pure: bytes in, values out; it knows no network, no books, no clock.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Raw

from gateway.dialects.output_count import StreamedText
from gateway.dialects.searches import Searches
from keys.services import Usage
from keys.supply.model_facts import ModelFacts

DefaultHeaders = tuple[tuple[str, str], ...]


@dataclass(slots=True, kw_only=True)
class CallParameters:
    """A request as far as metering needs it.

    `fields`: the top level of the body; values are untouched JSON, so fields that Butler does not
    know survive byte for byte. `model`: as the client named it, "" if it named none.
    `output_tokens_max`: the most one answer may have, as the client asked; None if it did not.
    `output_tokens_least`: the provider would refuse a smaller maximum. `choices`: how many answers
    are requested. `usage_requested`: whether the client of a stream wants the usage itself.
    `refused_fields`: those of the dialect's `replaceable_fields` that the provider does not take.
    `searches`: the web searches by the provider that it allows, if any.
    """

    fields: dict[str, Raw]
    model: str
    stream: bool = False
    output_tokens_max: int | None = None
    output_tokens_least: int = 1
    choices: int = 1
    usage_requested: bool = True
    refused_fields: frozenset[str] = frozenset()
    searches: Searches | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """What a provider says a call used. `provider_cost`: USD, if it says that too."""

    usage: Usage
    provider_cost: Decimal | None = None
    provider_request_id: str = ""


class StreamMeter(Protocol):
    """Meters one stream, event after event.

    `begun`: a part of an answer came, even an empty one; an event that only says that the call was
    received is none. `ended` is true once the event that closes a complete answer was seen.
    `finished`: the model has written all of the answer, so if the stream now ends in order, nothing
    is missing. `error`: what an event said when the provider gave up, as the provider wrote it.
    `text`: of the answer so far.
    """

    begun: bool
    ended: bool
    error: Any
    text: StreamedText

    @property
    def service_tier(self) -> str:
        """How the provider says it serves the call, see `service_tiers`; blank if it does not."""

    @property
    def report(self) -> UsageReport | None:
        """The usage once the provider has sent it."""

    @property
    def finished(self) -> bool: ...

    def feed(self, event: bytes) -> bytes:
        """Take one whole event with its blank line; return what the client gets of it (or b"")."""

    def evidence(self, *, model: ModelFacts) -> Usage | None:
        """The best that is known without the final usage: the input if the provider sent it, and
        the output so far, counted; None if nothing arrived.

        May take a while for long answers. Reasoning that a provider does not show is guessed.
        """


class Dialect(Protocol):
    """One route's way of asking and answering.

    `wire_format`: "openai" or "anthropic", whose error shape and headers it has. `path`: below
    `/v1` at Butler and below the provider's base URL. `takes_media`: whether requests can have
    images or files, and so be large. `spends`: whether its calls cost tokens.
    `output`: what a model must be able to answer with, as `CatalogueModel.outputs` says it.
    `content_field`: the field of a whole answer that has its content. `conversation_field`: that of
    a request with the turns of a conversation; blank if there is none. `default_headers`: headers
    that providers require and clients may leave out.
    """

    wire_format: str
    path: str
    takes_media: bool
    spends: bool
    content_field: str
    conversation_field: str
    output: str
    default_headers: DefaultHeaders

    def parse(self, body: bytes) -> CallParameters:
        """Parse a request body. Refusals: InvalidRequest, CannotBeBounded."""

    def input_bound(self, parameters: CallParameters, *, model: ModelFacts) -> int:
        """The most input tokens `model` can count for it. May take a while for long texts."""

    def provider_body(
        self, parameters: CallParameters, *, model: str, facts: ModelFacts, output_tokens_max: int
    ) -> bytes:
        """The body for the provider: its own model name, the output clamped per answer, the usage
        of a stream requested; everything else as it came."""

    def replaceable_fields(self, parameters: CallParameters) -> frozenset[str]:
        """Fields of the body for the provider that it may refuse, and that can be left out or
        renamed: `provider_body` does so for `parameters.refused_fields`."""

    def usage_report(self, body: bytes) -> UsageReport | None:
        """The usage in a whole answer; None when it has none that is plausible."""

    def partial_usage(self, body: bytes) -> Usage | None:
        """What a usage without all its totals still says: the input or the output."""

    def count_output(self, body: bytes, *, model: ModelFacts) -> int:
        """Output tokens counted from the content of a whole answer that reports no usage."""

    def meter(self, parameters: CallParameters) -> StreamMeter:
        """A meter for one stream."""

    def error_event(self, error: dict[str, Any]) -> bytes:
        """The event that ends a broken stream; `error` is the wire format's error body."""
