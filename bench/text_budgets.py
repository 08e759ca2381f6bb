"""What a text costs: POST /allocations with and without one, over HTTP, one after the other."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from bench import rows, server
from bench.http_load import Connection, Request
from prediction import services as prediction
from prediction.models import SettledWork, StoredSketch
from prediction.sketches import pack, sketch

_LEARNED, _WORDS = 300, 300
# For each of so many seconds of a measurement.
_ROUNDS_PER_SECOND = 100
_WARM_UP_ROUNDS = 40
_PATH = "/api/v1/allocations"
_dice = random.Random(16)  # noqa: S311 - no secret
_VOCABULARY = [
    "".join(_dice.choices("abcdefghijklmnopqrstuvwxyz", k=_dice.randint(3, 9)))
    for _ in range(2_000)
]


def run(seconds: float, clients: Sequence[int], out: TextIO) -> None:
    """Learn from made-up work, then ask in turn: tokens, a new text, a text that was asked before.
    A goal: with a text not more than 2 ms slower at the median."""
    _learn()
    token, same = rows.tokens()[0], _text()
    kinds: dict[str, Callable[[], dict[str, object]]] = {
        "tokens": lambda: {"tokens": 20_000},
        f"a new text of {_WORDS} words": lambda: {"text": _text()},
        "the same text again": lambda: {"text": same},
    }
    bodies = [kind() for _ in range(int(seconds * _ROUNDS_PER_SECOND)) for kind in kinds.values()]
    with server.running() as butler:
        times = asyncio.run(_ask(butler.port, token, bodies))
    print(f"\nPOST /allocations after {_LEARNED} pieces of work, in turn; ms", file=out)  # noqa: T201
    print(f"{'by':>26} {'p50':>7} {'p95':>7} {'slower':>7}", file=out)  # noqa: T201
    base = times[_WARM_UP_ROUNDS * len(kinds) :: len(kinds)]
    for place, name in enumerate(kinds):
        took = times[_WARM_UP_ROUNDS * len(kinds) + place :: len(kinds)]
        slower = statistics.median(mine - other for mine, other in zip(took, base, strict=True))
        p50, p95 = statistics.median(took), statistics.quantiles(took, n=20)[-1]
        print(f"{name:>26} {p50:>7.2f} {p95:>7.2f} {slower:>7.2f}", file=out, flush=True)  # noqa: T201


async def _ask(port: int, token: str, bodies: Sequence[dict[str, object]]) -> list[float]:
    """The milliseconds of each request, on one connection."""
    connection, times = Connection(port), []
    for body in bodies:
        begins = time.perf_counter()
        status, answer = await connection.post(Request(_PATH, token, body))
        times.append(1000 * (time.perf_counter() - begins))
        if status != 201:
            raise SystemExit(f"Butler answered {status}: {answer.decode()}")
    return times


def _learn() -> None:
    """Work that ended, and a forecaster that was learned from it."""
    sketches, work = [], []
    for number in range(_LEARNED):
        lent, known = rows.lend(f"agent-{number % rows.AGENTS}"), sketch(_text())
        tokens = int(_dice.lognormvariate(9, 0.5))
        sketches.append(StoredSketch(digest=known.digest, data=pack(known), created_at=rows.now()))
        work.append(
            SettledWork(
                allocation=lent,
                settled_at=rows.now(),
                agent=lent.agent_id,
                cost_centre="org",
                model="model",
                text_digest=known.digest,
                rule_tokens=400,
                tokens=tokens,
                calls=4,
                input_tokens=tokens - 100,
                output_tokens=100,
                reasoning_tokens=0,
                censored=False,
            )
        )
    StoredSketch.objects.bulk_create(sketches)
    SettledWork.objects.bulk_create(work)
    if prediction.train_model(now=rows.now()) is None:
        raise SystemExit("Nothing was learned.")


def _text() -> str:
    return " ".join(_dice.choices(_VOCABULARY, k=_WORDS))
