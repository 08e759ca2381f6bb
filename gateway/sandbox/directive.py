"""What a request can ask of the sandbox: `[[sandbox output=120 cut=mid]]` in its last text."""

import re
from decimal import Decimal
from typing import Any, Literal

import msgspec

Cut = Literal["", "before_headers", "after_headers", "mid", "before_usage", "before_end"]
_IN_TEXT = re.compile(r"\[\[sandbox\b(.*?)\]\]", re.DOTALL)
_PAIR = re.compile(r"(\w+)=('[^']*'|\S+)")
_BOOLEANS = {"yes": True, "no": False}


class InvalidDirective(Exception):
    """A directive with an unknown name or a value of the wrong type."""


class Directive(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one call is answered; by default as by a healthy provider.

    Instead of an answer: `status` (with `retry_after` seconds, `code`), `hang`.
    Timing: `latency_ms` before the first byte, `slow_ms` between the events of a stream.
    Tokens: `output` per choice, never above the requested maximum; `reasoning`, `audio_out` and
    `image_out` are part of it; `cached`, `cache_write`, `cache_write_1h`, `audio_in`, `image_in`
    of `input`.
    `searches`: web searches, if the request has the tool, never above its maximum.
    `tier`: the service tier that the answer says.
    Usage: `none`, `wrong` (no numbers, or negative), `over` (ten times the output); `cost` in USD.
    Content: `tool` with `args` (JSON), `chunks` in which a stream's text comes.
    Faults: `cut` closes the socket, `stall` keeps it open without sending, both at a place in
    the answer; `malformed`; `error_event` in the middle of a stream.
    """

    status: int = 0
    retry_after: float | None = None
    code: str = ""
    hang: bool = False
    latency_ms: int | None = None
    slow_ms: int = 0
    input: int | None = None
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_in: int = 0
    image_in: int = 0
    output: int | None = None
    reasoning: int = 0
    audio_out: int = 0
    image_out: int = 0
    searches: int = 0
    tier: str = ""
    usage: Literal["right", "none", "wrong", "over"] = "right"
    cost: Decimal | None = None
    tool: str = ""
    args: str = ""
    chunks: int | None = None
    cut: Cut = ""
    stall: Cut = ""
    malformed: bool = False
    error_event: bool = False

    @property
    def stops(self) -> Cut:
        """Where the answer stops before its end, if it does."""
        return self.cut or self.stall


NOTHING = Directive()


def fields_in_text(text: str) -> dict[str, str]:
    """The names and values of the last directive in a text."""
    directives = _IN_TEXT.findall(text) if "[[sandbox" in text else []
    if not directives:
        return {}
    return {name: value.strip("'") for name, value in _PAIR.findall(directives[-1])}


def directive(fields: dict[str, Any]) -> Directive:
    """The directive with these names and values. Errors: InvalidDirective."""
    if not fields:
        return NOTHING
    values = {name: _BOOLEANS.get(value, value) for name, value in fields.items()}
    try:
        return msgspec.convert(values, Directive, strict=False)
    except (msgspec.ValidationError, TypeError) as error:
        raise InvalidDirective(f"[[sandbox]]: {error}") from error
