"""Loops, stuck sessions and retry storms: the calls of the last minutes."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

_T = TypeVar("_T")
# What is looked at: calls of so many minutes.
LOOP_SECONDS = 600.0
# So many calls in a row that are nearly the same, or that grow by the same, are a loop.
_SAME_CALLS, _GROWING_CALLS = 8, 7
_SAME_TOKENS, _SAME_SHARE = 2, 0.002
# The same request by its digest needs fewer.
_SAME_DIGESTS = 5
# A session is stuck after so many times the gap between two calls that 99 of 100 are below.
_GAPS = 3.0
STUCK_SECONDS_MIN = 900.0
_STORM_MIN = 20
_STORM_SHARE = 0.5
_STORM_TIMES = 3.0


class Call(NamedTuple):
    """A settled call of a session. `at`: seconds; `digest`: the same for the same request."""

    at: float
    model: str
    input_tokens: int
    output_tokens: int
    digest: bytes | None = None


class Loop(NamedTuple):
    """So many calls in a row since a moment, each the same or growing by the same."""

    calls: int
    since: float
    is_growing: bool


def loop(calls: Sequence[Call]) -> Loop | None:
    """Whether the newest calls of a session, in order, go round in a loop: the same call again and
    again, or an input that grows by the same each time, within LOOP_SECONDS."""
    if not calls:
        return None
    recent = [each for each in calls if each.at > calls[-1].at - LOOP_SECONDS]
    same = 1 + _run(recent, _is_same)
    if same >= _SAME_CALLS or _digests(recent) >= _SAME_DIGESTS:
        length = max(same, _digests(recent))
        return Loop(length, recent[-length].at, False)
    steps = list(zip(recent, recent[1:], strict=False))
    growing = 2 + _run(steps, _grows_alike)
    if growing >= _GROWING_CALLS:
        return Loop(growing, recent[-growing].at, True)
    return None


def _run(row: Sequence[_T], holds: Callable[[_T, _T], bool]) -> int:
    """How many of the last steps of a row hold."""
    count = 0
    for before, after in zip(reversed(row[:-1]), reversed(row[1:]), strict=True):
        if not holds(before, after):
            break
        count += 1
    return count


def _is_same(one: Call, other: Call) -> bool:
    most = max(_SAME_TOKENS, _SAME_SHARE * one.input_tokens)
    return one.model == other.model and abs(one.input_tokens - other.input_tokens) <= most


def _digests(calls: Sequence[Call]) -> int:
    """How many of the newest calls have the same digest in a row."""
    return 1 + _run(calls, lambda one, other: one.digest is not None and one.digest == other.digest)


def _grows_alike(first: tuple[Call, Call], second: tuple[Call, Call]) -> bool:
    steps = [after.input_tokens - before.input_tokens for before, after in (first, second)]
    model = {each.model for pair in (first, second) for each in pair}
    return len(model) == 1 and min(steps) > 0 and abs(steps[0] - steps[1]) <= _SAME_TOKENS


def stuck_after(gaps: Sequence[float]) -> float:
    """After how many seconds without a settled call a session that waits for one is stuck, by the
    gaps between the calls of its agent."""
    if not gaps:
        return STUCK_SECONDS_MIN
    return max(_GAPS * float(np.quantile(gaps, 0.99)), STUCK_SECONDS_MIN)


def is_storm(failed: int, calls: int, usual_most: int) -> bool:
    """Whether so many calls of the last half hour that came to nothing, beside those that were
    settled, are a storm of retries. `usual_most`: the most of a half hour in the week before."""
    return failed >= max(_STORM_MIN, _STORM_TIMES * usual_most) and failed >= _STORM_SHARE * (
        calls + failed
    )
