"""What is printed: the lines of the tables."""

from typing import TextIO

from bench.gateway.measure import Figures
from bench.gateway.targets import BARE, BEFORE, BUTLER

_PROXY = "{:>8} {:>19} {:>7}"
_HEAD = _PROXY.format("calls/s", "added p50/p95/p99 ms", "CPU ms")
# Those that keep books in PostgreSQL.
_WITH_BOOKS = (BEFORE, BUTLER)


def say(out: TextIO, *lines: str) -> None:
    """Print lines at once."""
    print(*lines, sep="\n", file=out, flush=True)


def head(names: list[str]) -> str:
    """The two lines above a table of proxies."""
    above, below = f"{'':>28}", f"{'answer':>10} {'upstream':>9} {'clients':>7}"
    for name in names:
        above += f" | {name:^36}"
        below += f" | {_HEAD}"
        if name in _WITH_BOOKS:
            above += f"{'':>25}"
            below += f" {'PostgreSQL ms':>13} {'of bare':>7}"
    return f"{above}\n{below} {'MB':>5}"


def start_of_line(stream: bool, latency: int, clients: int) -> str:
    """The beginning of a line: how the load was set."""
    return f"{'stream' if stream else 'whole':>10} {latency:>6} ms {clients:>7}"


def proxies(results: dict[str, Figures], direct_ms: float) -> str:
    """The figures of all proxies under one load; of those with books also PostgreSQL's CPU, and the
    throughput as a share of the bare proxy's."""
    text = ""
    for name, figures in results.items():
        text += proxy(figures, direct_ms)
        if name in _WITH_BOOKS:
            share = figures.measured.per_second / max(results[BARE].measured.per_second, 1)
            text += f" {figures.postgres_ms:>13.2f} {share:>7.0%}"
    return text


def proxy(figures: Figures, direct_ms: float) -> str:
    """A proxy's figures; latencies without those of a direct call."""
    measured = figures.measured
    added = "/".join(_short(ms - direct_ms) for ms in (measured.p50, measured.p95, measured.p99))
    text = f" | {measured.per_second:>8.0f} {added:>20} {figures.server_ms:>7.2f}"
    return text + (f" {figures.failed} FAILED" if figures.failed else "")


def goal(name: str, target: str, result: str, reached: bool) -> str:
    """One goal, and what came of it."""
    return f"{'reached' if reached else 'MISSED':>8}  {name}: goal {target}, here {result}"


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.0f}" if abs(milliseconds) >= 100 else f"{milliseconds:.1f}"
