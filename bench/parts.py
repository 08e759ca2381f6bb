"""The benchmarks, one after the other, and the table they print."""

import time
from collections.abc import Callable
from typing import TextIO

from bench import (
    actions,
    closed_loop,
    house,
    http_load,
    money,
    pgbench,
    planning,
    rows,
    server,
    tasks,
    text_budgets,
)
from bench.http_load import Request
from keys.books.queries.candidates import candidates
from keys.books.selection import choose


def run(*, seconds: float, clients: list[int], only: list[str], out: TextIO) -> None:
    """Run the parts named in `only`; print each figure as soon as it is there."""
    rows.make()
    for part in only:
        _PARTS[part](seconds, clients, out)


def _service(seconds: float, clients: list[int], out: TextIO) -> None:
    print("service layer, 2 processes; per second (p50/p99 of a call in ms)", file=out)  # noqa: T201
    head = f"{'clients':>8} {'allocate':>22} {'pgbench':>8} {'ratio':>6} {'refused':>22}"
    head += f" {'hold+settle':>22} {'pgbench':>8} {'ratio':>6} {'settled by 32':>22} {'ratio':>6}"
    print(head, file=out)  # noqa: T201
    for count in clients:
        allocations = closed_loop.measure(actions.allocate, clients=count, seconds=seconds)
        allocate_limit = pgbench.allocate(count, seconds)
        refusals = closed_loop.measure(actions.allocate_refused, clients=count, seconds=seconds)
        pairs = closed_loop.measure(actions.hold_and_settle, clients=count, seconds=seconds)
        pairs_limit = pgbench.hold_and_settle(count, seconds)
        batches = closed_loop.measure(actions.settle_in_batches, clients=count, seconds=seconds)
        print(  # noqa: T201
            f"{count:>8} {_figures(allocations):>22} {allocate_limit:>8.0f} "
            f"{allocations.per_second / allocate_limit:>6.0%} {_figures(refusals):>22} "
            f"{_figures(pairs):>22} {pairs_limit:>8.0f} "
            f"{pairs.per_second / pairs_limit:>6.0%} {_figures(batches):>22} "
            f"{batches.per_second / pairs_limit:>6.0%}",
            file=out,
            flush=True,
        )


def _http(seconds: float, clients: list[int], out: TextIO) -> None:
    tokens = rows.tokens()
    sessions = [rows.lend(f"agent-{n}", tokens=10**11).session_id for n in range(rows.AGENTS)]

    def lend(number: int) -> Request:
        return Request("/api/v1/allocations", tokens[number % rows.AGENTS], {"tokens": 1000})

    def report(number: int) -> Request:
        index = number % rows.AGENTS
        path = f"/api/v1/allocations/{sessions[index]}/usage"
        return Request(path, tokens[index], {"input_tokens": 80, "output_tokens": 20})

    print("\nover HTTP, as `make up` serves; per second (p50/p99 in ms)", file=out)  # noqa: T201
    head = f"{'clients':>8} {'POST allocations':>22} {'pgbench':>8} {'ratio':>6}"
    print(f"{head} {'POST usage':>22}", file=out)  # noqa: T201
    with server.running() as (port, _):
        # First, before the closed loops have put the server under load.
        open_loop = http_load.open_loop(port, lend, per_second=100, seconds=3 * seconds)
        for count in clients:
            allocations = http_load.closed_loop(port, lend, clients=count, seconds=seconds)
            limit = pgbench.allocate(count, seconds)
            reports = http_load.closed_loop(port, report, clients=count, seconds=seconds)
            print(  # noqa: T201
                f"{count:>8} {_figures(allocations):>22} {limit:>8.0f} "
                f"{allocations.per_second / limit:>6.0%} "
                f"{_figures(reports):>22}",
                file=out,
                flush=True,
            )
    print(  # noqa: T201
        f"100 allocations/s offered: p50 {open_loop.p50_ms:.1f} ms, "
        f"p99 {open_loop.p99_ms:.1f} ms, "
        f"answers {open_loop.statuses}",
        file=out,
        flush=True,
    )


def _figures(measured: closed_loop.Measured | http_load.Measured) -> str:
    return f"{measured.per_second:.0f} ({measured.p50_ms:.1f}/{measured.p99_ms:.1f})"


def _selection(seconds: float, clients: list[int], out: TextIO) -> None:
    for number in range(10_000 - rows.KEYS):
        rows.add_key(f"many-{number}", priority=-1)
    selections = _milliseconds(
        lambda: choose(candidates(payers_usd=None, now=rows.now()), tokens=1000)
    )
    allocations = _milliseconds(lambda: rows.lend("agent-0"))
    print(  # noqa: T201
        f"\nselecting among 10,000 keys: median {selections[5]:.0f} ms, "
        f"worst {selections[-1]:.0f} ms; "
        f"allocating, every verdict stored: median {allocations[5]:.0f} ms, "
        f"worst {allocations[-1]:.0f} ms",
        file=out,
        flush=True,
    )


def _milliseconds(work: Callable[[], object]) -> list[float]:
    """Milliseconds of ten runs, the quickest first, after five runs that are not counted."""
    durations = []
    for _ in range(15):
        start = time.perf_counter()
        work()
        durations.append(1000 * (time.perf_counter() - start))
    return sorted(durations[5:])


_PARTS = {
    "service": _service,
    "http": _http,
    "selection": _selection,
    "planning": planning.run,
    "tasks": tasks.run,
    "house": house.run,
    "money": money.run,
    "texts": text_budgets.run,
}
