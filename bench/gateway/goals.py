"""The goals of the gateway, and what a run reached of them."""

from collections.abc import Iterator
from typing import NamedTuple

from bench.gateway import report
from bench.gateway.measure import Figures
from bench.gateway.targets import BARE, BUTLER


class Case(NamedTuple):
    """What was measured: whose answers, in how many processes, whole or streamed, for how many
    clients of a closed loop or at how many calls per second of an open one. The upstream answered
    at once."""

    name: str
    workers: int
    stream: bool = False
    clients: int = 0
    per_second: int = 0


# By clients: milliseconds of CPU per call, of the gateway and of PostgreSQL.
_CPU = {64: (0.65, 0.3), 16: (1.0, 0.6), 1: (2.5, 1.5)}
# By calls per second offered: milliseconds that the gateway adds, p50 and p99.
_ADDED = {200: (5, 25), 400: (10, 60)}
# What one process makes of the bare proxy's calls per second, and two of one process's.
_SHARES = {False: 0.6, True: 0.7}
_BUSY = (64, 200)
_TWO_OF_ONE = 1.4


def lines(figures: dict[Case, Figures], direct_ms: float) -> list[str]:
    """Each goal whose figures were measured. `direct_ms`: a direct call of one client."""
    return [*_cpu(figures), *_added(figures, direct_ms), *_shares(figures), *_two(figures)]


def _cpu(figures: dict[Case, Figures]) -> Iterator[str]:
    for clients, (gateway, postgres) in _CPU.items():
        butler = figures.get(Case(BUTLER, 1, clients=clients))
        bare = figures.get(Case(BARE, 1, clients=clients))
        if butler and bare:
            ours, theirs = butler.server_ms, butler.postgres_ms
            yield report.goal(
                f"CPU per whole call at {clients} client{'s'[: clients - 1]}",
                f"gateway {gateway} ms, PostgreSQL {postgres} ms",
                f"{ours:.2f} and {theirs:.2f} ms (bare proxy {bare.server_ms:.2f} ms)",
                ours <= gateway and theirs <= postgres,
            )


def _added(figures: dict[Case, Figures], direct_ms: float) -> Iterator[str]:
    for case, butler in figures.items():
        if case.name != BUTLER or case.per_second not in _ADDED:
            continue
        bare, (p50, p99) = figures.get(case._replace(name=BARE)), _ADDED[case.per_second]
        added = [ms - direct_ms for ms in (butler.measured.p50, butler.measured.p99)]
        beside = [ms - direct_ms for ms in (bare.measured.p50, bare.measured.p99)] if bare else []
        yield report.goal(
            f"added at {case.per_second} calls/s offered, {_processes(case.workers)}",
            f"p50 {p50} ms, p99 {p99} ms",
            f"{_words(added)} (bare proxy {_words(beside)})",
            added[0] <= p50 and added[1] <= p99 and not butler.failed,
        )


def _shares(figures: dict[Case, Figures]) -> Iterator[str]:
    for stream, goal in _SHARES.items():
        for clients in _BUSY:
            butler = figures.get(Case(BUTLER, 1, stream, clients))
            bare = figures.get(Case(BARE, 1, stream, clients))
            if butler and bare:
                share = butler.measured.per_second / max(bare.measured.per_second, 1)
                yield report.goal(
                    f"calls/s of one process, {_kind(stream)}, {clients} clients",
                    f"{goal:.0%} of the bare proxy's {bare.measured.per_second:.0f}",
                    f"{butler.measured.per_second:.0f} ({share:.0%})",
                    share >= goal and not butler.failed,
                )


def _two(figures: dict[Case, Figures]) -> Iterator[str]:
    for stream in _SHARES:
        for clients in _BUSY:
            one = figures.get(Case(BUTLER, 1, stream, clients))
            two = figures.get(Case(BUTLER, 2, stream, clients))
            if one and two:
                times = two.measured.per_second / max(one.measured.per_second, 1)
                yield report.goal(
                    f"calls/s of two processes, {_kind(stream)}, {clients} clients",
                    f"{_TWO_OF_ONE} times one process's",
                    f"{times:.2f} times",
                    times >= _TWO_OF_ONE,
                )


def _kind(stream: bool) -> str:
    return "streams" if stream else "whole"


def _processes(workers: int) -> str:
    return f"{workers} process{'es' if workers > 1 else ''}"


def _words(added: list[float]) -> str:
    return ", ".join(f"{name} {ms:.1f} ms" for name, ms in zip(("p50", "p99"), added, strict=False))
