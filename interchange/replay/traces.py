"""Traces of LLM calls, read from CSV (gzip or plain); the header says which kind it is.

| header | a session is |
|---|---|
| `instance_id, step, created_unix, prompt_tokens, …` | one instance of the agent fleet |
| `t_s, input_tokens, output_tokens` | 25 calls of one of 20 lanes, assigned in turn |

The whole file is read and checked before anything is replayed.
"""

import csv
import gzip
import math
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from common.refusal import Refusal

_GZIP = b"\x1f\x8b"
_LANES = 20
_CALLS_PER_SESSION = 25
_TOKENS_MAX = 10**9


class BrokenTrace(Refusal):
    """The file cannot be read as a trace; the message names the line."""


class Call(NamedTuple):
    """One call of a session, `at` seconds after the trace's first. Tokens as in Usage."""

    at: float
    session: str
    step: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int

    @property
    def tokens(self) -> int:
        """The tokens that the call counts against an allocation."""
        return self.input_tokens + self.output_tokens


def read(path: Path) -> list[Call]:
    """Every call of the trace, sorted by time. Refusals: BrokenTrace."""
    try:
        with _open_text(path) as text:
            calls = list(_calls(csv.DictReader(text, strict=True)))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise BrokenTrace(f"{path} cannot be read: {error}") from None
    if not calls:
        raise BrokenTrace(f"{path} has no calls.")
    calls.sort(key=lambda call: (call.at, call.session, call.step))
    first = calls[0].at
    return [call._replace(at=call.at - first) for call in calls]


def _open_text(path: Path) -> IO[str]:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _calls(reader: "csv.DictReader[str]") -> Iterator[Call]:
    call_of = _kind(set(reader.fieldnames or ()))
    for number, row in enumerate(reader):
        try:
            yield call_of(number, row)
        except ValueError as error:
            raise BrokenTrace(f"Line {reader.line_num}: {error}.") from None


def _kind(header: set[str]) -> Callable[[int, dict[str, str]], Call]:
    for columns, call_of in _KINDS:
        if columns <= header:
            return call_of
    known = ", or ".join(" ".join(sorted(columns)) for columns, _ in _KINDS)
    raise BrokenTrace(f"Line 1 is not the header of a trace: it must have {known}.")


def _fleet_call(number: int, row: dict[str, str]) -> Call:
    output, reasoning = _tokens(row, "completion_tokens"), _tokens(row, "reasoning_tokens")
    if reasoning > output:
        # This provider did not include reasoning in the output; others do.
        output += reasoning
    call = Call(
        at=_seconds(row, "created_unix"),
        session=row["instance_id"],
        step=_tokens(row, "step"),
        input_tokens=_tokens(row, "prompt_tokens"),
        cached_tokens=_tokens(row, "cached_tokens"),
        output_tokens=output,
        reasoning_tokens=reasoning,
    )
    if not call.session:
        raise ValueError("instance_id is empty")
    if call.cached_tokens > call.input_tokens:
        raise ValueError("cached_tokens are more than the prompt_tokens they are part of")
    return call


def _conversation_call(number: int, row: dict[str, str]) -> Call:
    turn, lane = divmod(number, _LANES)
    return Call(
        at=_seconds(row, "t_s"),
        session=f"lane-{lane}-{turn // _CALLS_PER_SESSION}",
        step=number,
        input_tokens=_tokens(row, "input_tokens"),
        cached_tokens=0,
        output_tokens=_tokens(row, "output_tokens"),
        reasoning_tokens=0,
    )


_KINDS = (
    (
        {
            "instance_id",
            "step",
            "created_unix",
            "prompt_tokens",
            "cached_tokens",
            "completion_tokens",
            "reasoning_tokens",
        },
        _fleet_call,
    ),
    ({"t_s", "input_tokens", "output_tokens"}, _conversation_call),
)


def _tokens(row: dict[str, str], column: str) -> int:
    text = row[column] or ""
    if not text.isascii() or not text.isdigit() or int(text) > _TOKENS_MAX:
        raise ValueError(f"{column} is {text!r}, not a whole number up to {_TOKENS_MAX:,}")
    return int(text)


def _seconds(row: dict[str, str], column: str) -> float:
    try:
        seconds = float(row[column] or "")
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"{column} is {row[column]!r}, not a number of seconds")
    return seconds
