"""What a caller can ask the sandbox to do: `[[sandbox output=120 cut=mid]]` in its last text."""

import re
from decimal import Decimal
from typing import Any, Literal

import msgspec

Cut = Literal["", "before_headers", "after_headers", "mid", "before_usage", "before_end"]
_IN_TEXT = re.compile(r"\[\[sandbox\b(.*?)\]\]", re.DOTALL)
_PAIR = re.compile(r"(\w+)=('[^']*'|\S+)")
_YES_NO = {"yes": True, "no": False}


class NotUnderstood(Exception):
    """A directive with an unknown name or a value of another kind."""


class Directive(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one call is answered; by default like a provider in good health.

    Instead of an answer: `status` (with `retry_after` seconds, `code`), `hang`.
    In time: `latency_ms` before the first byte, `slow_ms` between the events of a stream.
    Tokens: `output` per choice, never above the asked maximum; `reasoning` and `audio_out` are
    part of it, and `cached`, `cache_write`, `cache_write_1h`, `audio_in` of `input`.
    Usage: `none`, `wrong` (no numbers, or negative), `over` (ten times the output); `cost` in USD.
    Content: `tool` with `args` (JSON), `chunks` in which a stream's text comes.
    Faults: `cut` closes the socket, `stall` only sends nothing more on it, both at a place of the
    answer; `malformed`; `error_event` in the middle of a stream.
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
    output: int | None = None
    reasoning: int = 0
    audio_out: int = 0
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


def said_in(text: str) -> dict[str, str]:
    """The names and values of the last directive in a text."""
    found = _IN_TEXT.findall(text) if "[[sandbox" in text else []
    return {name: value.strip("'") for name, value in _PAIR.findall(found[-1])} if found else {}


def directive(said: dict[str, Any]) -> Directive:
    """The directive of these names and values. Errors: NotUnderstood."""
    if not said:
        return NOTHING
    values = {name: _YES_NO.get(value, value) for name, value in said.items()}
    try:
        return msgspec.convert(values, Directive, strict=False)
    except (msgspec.ValidationError, TypeError) as error:
        raise NotUnderstood(f"[[sandbox]]: {error}") from error
