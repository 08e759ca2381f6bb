"""How long planning takes, beside its goals: plain computation, on the processor's own clock."""

import random
import time
from collections.abc import Callable
from typing import Any, TextIO

from orchestration.planning import WEIGHTS, Part, explicit_plan, keyword_plan, split

_COUNT = 10_000
_BYTES = 1_000_000
_TALK = "The figures of the company are in the table, and they show how it has moved since spring. "
_ORDERS = f"Research the market, analyze what we gathered; then write a report. {_TALK}"
_LIST = "- Research the market in Europe\n  with its prices\n"


def run(_seconds: float, _clients: list[int], out: TextIO) -> None:
    """Print the best and the median of each. `_seconds` and `_clients` are not used."""
    print("\nplanning; ms of processor time", file=out)  # noqa: T201
    print(f"{'':>40} {'best':>7} {'median':>7} {'goal':>7}", file=out)  # noqa: T201
    for name, work, goal in _measurements():
        durations = _times(work)
        print(  # noqa: T201
            f"{name:>40} {durations[0]:>7.1f} {durations[len(durations) // 2]:>7.1f} {goal:>7}",
            file=out,
            flush=True,
        )


def _measurements() -> list[tuple[str, Callable[[], Any], str]]:
    parts = _parts()
    given = _given_sub_tasks()
    # A list as long as the longest usual ones; its last item has the rest of the text.
    listed = _LIST * 5_000 + _megabyte(_TALK)[: _BYTES - 5_000 * len(_LIST)]
    orders, talk = _megabyte(_ORDERS), _megabyte(_TALK)
    return [
        ("decompose 1 MB with orders", lambda: keyword_plan(orders), "50"),
        ("decompose 1 MB without any", lambda: keyword_plan(talk), "50"),
        ("decompose 1 MB, 5,000 items", lambda: keyword_plan(listed, parallel=True), "50"),
        (f"split among {_COUNT:,} parts", lambda: split(parts, total=10**9), "10"),
        (f"check {_COUNT:,} sub-tasks as given", lambda: explicit_plan(given), "-"),
    ]


def _megabyte(unit: str) -> str:
    return (unit * (_BYTES // len(unit) + 1))[:_BYTES]


def _parts() -> list[Part]:
    priorities = sorted(WEIGHTS)
    return [
        Part(
            key=str(number),
            name="a",
            description="a",
            estimated_tokens=1_000 + number,
            priority=priorities[number % len(priorities)],
        )
        for number in range(_COUNT)
    ]


def _given_sub_tasks() -> list[dict[str, Any]]:
    """Sub-tasks in random order; each depends on two others."""
    given = [
        {
            "id": str(number),
            "description": "Research the market",
            "depends_on": [str(number - step) for step in (1_000, 700) if number > step],
        }
        for number in range(_COUNT)
    ]
    random.Random(1).shuffle(given)  # noqa: S311 - the same each time
    return given


def _times(work: Callable[[], Any]) -> list[float]:
    """Milliseconds of each of eleven, the quickest first."""
    durations = []
    for _ in range(11):
        begin = time.process_time()
        work()
        durations.append(1000 * (time.process_time() - begin))
    return sorted(durations)
