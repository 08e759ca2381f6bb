"""What is printed: lines of the tables, and each goal beside what was reached."""

from typing import TextIO

from bench.gateway.measure import Figures

_PROXY = "{:>8} {:>19} {:>7}"
_HEAD = _PROXY.format("calls/s", "added p50/p95/p99 ms", "CPU ms")


def say(out: TextIO, *lines: str) -> None:
    """Print lines at once."""
    print(*lines, sep="\n", file=out, flush=True)


def head(names: list[str]) -> str:
    """The two lines above a table of proxies."""
    above, below = f"{'':>28}", f"{'answer':>10} {'upstream':>9} {'clients':>7}"
    for name in names:
        above += f" | {name:^36}"
        below += f" | {_HEAD}"
        if name == "Butler":
            above += f"{'':>22}"
            below += f" {'PostgreSQL':>10} {'of bare':>7} {'MB':>5}"
    return f"{above}\n{below}"


def start_of_line(stream: bool, latency: int, clients: int) -> str:
    """The beginning of a line: how the load was set."""
    return f"{'stream' if stream else 'whole':>10} {latency:>6} ms {clients:>7}"


def proxy(figures: Figures, direct_ms: float) -> str:
    """A proxy's figures; latencies without those of a direct call."""
    measured = figures.measured
    added = "/".join(_short(ms - direct_ms) for ms in (measured.p50, measured.p95, measured.p99))
    text = f" | {measured.per_second:>8.0f} {added:>20} {figures.server_ms:>7.2f}"
    return text + (f" {figures.failed} FAILED" if figures.failed else "")


def books(figures: Figures, bare: Figures, megabytes: float) -> str:
    """What only Butler has, and its throughput as a share of the bare proxy's."""
    share = figures.measured.per_second / max(bare.measured.per_second, 1)
    return f" {figures.postgres_ms:>10.2f} {share:>7.0%} {megabytes:>5.0f}"


def goal(name: str, target: str, result: str, reached: bool) -> str:
    """One goal of the gateway's and what came of it."""
    return f"{'reached' if reached else 'MISSED':>8}  {name}: goal {target}, here {result}"


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.0f}" if abs(milliseconds) >= 100 else f"{milliseconds:.1f}"
