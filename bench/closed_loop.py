"""Closed loops: so many callers, each calling again as soon as its call returned."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import NamedTuple

from bench import rows

# What a caller does, and how many units of work that was; made from the number of the caller.
Action = Callable[[], int]
Prepare = Callable[[int], Action]

_WARM_UP_SECONDS = 0.5


class Measured(NamedTuple):
    """Units of work per second, and the 50th and 99th percentile of one call in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float


def measure(prepare: Prepare, *, clients: int, seconds: float, processes: int = 2) -> Measured:
    """Run `clients` callers, spread over `processes`, for `seconds` after a warm-up.

    They are prepared one after the other, so that what is lent to them lies on different keys.
    """
    actions = [prepare(number) for number in range(clients)]
    rows.close_connections()
    processes = min(processes, clients)
    fork = multiprocessing.get_context("fork")
    results, barrier = fork.Queue(), fork.Barrier(processes)
    workers = [
        fork.Process(target=_process, args=(actions[number::processes], seconds, barrier, results))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    units, latencies = 0, []
    for _ in workers:
        work, durations = results.get()
        units += work
        latencies += durations
    for worker in workers:
        worker.join()
    latencies.sort()
    return Measured(
        units / seconds, 1000 * _percentile(latencies, 50), 1000 * _percentile(latencies, 99)
    )


def _process(
    actions: list[Action],
    seconds: float,
    barrier: Barrier,
    results: "Queue[tuple[int, list[float]]]",
) -> None:
    units: list[int] = []
    latencies: list[float] = []
    ready = threading.Barrier(len(actions) + 1)
    threads = [
        threading.Thread(target=_caller, args=(act, seconds, ready, units, latencies))
        for act in actions
    ]
    for thread in threads:
        thread.start()
    barrier.wait()
    ready.wait()
    for thread in threads:
        thread.join()
    results.put((sum(units), latencies))


def _caller(
    act: Action,
    seconds: float,
    ready: threading.Barrier,
    units: list[int],
    latencies: list[float],
) -> None:
    ready.wait()
    begin = time.perf_counter() + _WARM_UP_SECONDS
    end = begin + seconds
    total, durations = 0, []
    while (start := time.perf_counter()) < end:
        work = act()
        if start >= begin:
            total += work
            durations.append(time.perf_counter() - start)
    units.append(total)
    latencies += durations
    rows.close_connections()


def _percentile(ordered: list[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0
