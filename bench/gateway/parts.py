"""The measurements, one after the other."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, TextIO

from bench.gateway import cost, report, targets
from bench.gateway.measure import Figures, Meter
from bench.gateway.report import say
from bench.gateway.targets import LATENCIES, Target

# The second process of a server may need longer to start than the first.
_WARM_UP_SECONDS = 3
# What a goal is measured at: every core is busy, and no call waits for long.
_USUAL_CLIENTS = 64


class Options(NamedTuple):
    """The options of the command line."""

    seconds: float
    clients: list[int]
    workers: list[int]
    only: list[str]
    calls: int
    litellm: str | None


class Bench:
    """All parts on one upstream and one database; `goals` are printed at the end."""

    def __init__(
        self,
        options: Options,
        provider: Target,
        tokens: dict[tuple[str, int], list[str]],
        meter: Meter,
        out: TextIO,
    ) -> None:
        self.options, self._provider, self._tokens = options, provider, tokens
        self._meter, self._out = meter, out
        self._direct: dict[tuple[bool, int], float] = {}
        self.goals: list[str] = []

    def run(self) -> None:
        """Measure the upstream alone, then the parts asked for, by the number of processes."""
        self._measure_direct()
        for workers in self.options.workers:
            with self._proxies(workers) as proxies:
                for part in self.options.only:
                    _PARTS[part](self, workers, proxies)
        say(self._out, "", *self.goals)

    def _measure_direct(self) -> None:
        for stream in (False, True):
            for latency in LATENCIES:
                direct = self._measure(self._provider, stream, latency, clients=1)
                self._direct[stream, latency] = direct.measured.p50
        busy = self._measure(self._provider, False, 0, clients=_USUAL_CLIENTS)
        one = ", ".join(
            f"{'stream' if stream else 'whole'} at {latency} ms {ms:.2f}"
            for (stream, latency), ms in self._direct.items()
        )
        say(
            self._out,
            f"A direct call, p50 of one client in ms: {one}.",
            f"The upstream alone answers {busy.measured.per_second:.0f} calls/s: load and upstream,"
            f" which share this machine, cost {busy.load_ms:.3f} and {busy.server_ms:.3f} ms of"
            " CPU per call.",
        )

    @contextmanager
    def _proxies(self, workers: int) -> Iterator[dict[str, Target]]:
        """The servers under load, all started, by name, Butler last."""
        with ExitStack() as stack:
            proxies = [stack.enter_context(targets.bare(self._provider, workers=workers))]
            if self.options.litellm and "calls" in self.options.only:
                other = targets.litellm(self._provider, self.options.litellm, workers=workers)
                proxies.append(stack.enter_context(other))
            butler = targets.butler(self._tokens, workers=workers)
            proxies.append(stack.enter_context(butler))
            for proxy in proxies:
                self._measure(proxy, False, 0, clients=16, seconds=_WARM_UP_SECONDS)
            say(self._out, "", f"{workers} process{'es' if workers > 1 else ''} each")
            yield {proxy.name: proxy for proxy in proxies}

    def _measure(self, target: Target, stream: bool, latency: int, **changes: Any) -> Figures:
        changes = {"seconds": self.options.seconds} | changes
        if target.name == "LiteLLM":
            changes["model"] = f"ms{latency}"
        load = target.load(latency=latency, stream=stream, **changes)
        return self._meter.run(load, pid=target.pid)

    def calls(self, workers: int, proxies: dict[str, Target]) -> None:
        """Closed loops: every proxy in turn, so that a busy machine is as busy for all."""
        say(self._out, report.head(list(proxies)))
        for stream in (False, True):
            for latency in LATENCIES:
                for clients in self.options.clients:
                    self._line(workers, proxies, stream, latency, clients)

    def _line(
        self, workers: int, proxies: dict[str, Target], stream: bool, latency: int, clients: int
    ) -> None:
        line, results = report.start_of_line(stream, latency, clients), {}
        for name, proxy in proxies.items():
            results[name] = self._measure(proxy, stream, latency, clients=clients)
            line += report.proxy(results[name], self._direct[stream, latency])
        megabytes = cost.memory_mb(proxies["Butler"].pid)
        say(
            self._out,
            line + report.books(results["Butler"], results["bare proxy"], megabytes),
        )
        if (stream, latency, workers) == (False, 0, 1) and clients == _goal_at(
            self.options.clients
        ):
            self._judge_calls(results["Butler"], results["bare proxy"], clients)

    def _judge_calls(self, butler: Figures, bare: Figures, clients: int) -> None:
        at, ms = f" ({clients} clients)", butler.server_ms
        share = butler.measured.per_second / max(bare.measured.per_second, 1)
        self.goals += [
            report.goal(
                f"calls per second of the gateway's CPU{at}",
                "at least 800",
                f"{1000 / ms:.0f} ({1000 / (ms + butler.postgres_ms):.0f} with PostgreSQL's)",
                ms <= 1000 / 800,
            ),
            report.goal(f"CPU of the gateway per call{at}", "1.2 ms", f"{ms:.2f} ms", ms <= 1.2),
            report.goal(
                f"the books' cost of a bare proxy's throughput{at}",
                "at most 25 %",
                f"{1 - share:.0%}",
                share >= 0.75,
            ),
        ]

    def shapes(self, workers: int, proxies: dict[str, Target]) -> None:
        """Other kinds of calls: all on one session, and in Anthropic's wire format."""
        butler = proxies["Butler"]
        one = self._tokens["openai", 0][:1]
        for clients in self.options.clients:
            figures = self._measure(butler, False, 0, clients=clients, tokens=one)
            text = f"all of {clients} clients on one session".ljust(44)
            say(self._out, text + report.proxy(figures, self._direct[False, 0]))
        for stream in (False, True):
            anthropic = self._measure(
                butler, stream, 0, clients=_goal_at(self.options.clients), wire_format="anthropic"
            )
            text = f"/v1/messages, {'stream' if stream else 'whole'}".ljust(44)
            say(self._out, text + report.proxy(anthropic, self._direct[stream, 0]))

    def rate(self, workers: int, proxies: dict[str, Target]) -> None:
        """An open loop: 200 calls a second, however late the answers are."""
        for name, proxy in proxies.items():
            if name == "LiteLLM":
                continue  # It cannot keep up, so only its queue would be measured.
            seconds = 5 * self.options.seconds
            changes = {"clients": 50, "per_second": 200, "seconds": seconds}
            figures = self._measure(proxy, False, 0, **changes)
            direct = self._direct[False, 0]
            say(self._out, f"200 calls/s offered, {name}".ljust(44) + report.proxy(figures, direct))
        p50, p99 = figures.measured.p50 - direct, figures.measured.p99 - direct
        self.goals.append(
            report.goal(
                f"added at 200 calls/s offered, {workers} process{'es' if workers > 1 else ''}",
                "p50 5 ms, p99 25 ms",
                f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
                p50 <= 5 and p99 <= 25 and not figures.failed,
            )
        )

    def memory(self, workers: int, proxies: dict[str, Target]) -> None:
        """Resident memory while many calls go through."""
        butler, samples = proxies["Butler"], []
        for _ in range(10):
            changes = {"clients": _USUAL_CLIENTS, "calls": self.options.calls // 10, "seconds": 0}
            self._measure(butler, False, 0, warm_up_seconds=0, **changes)
            samples.append(cost.memory_mb(butler.pid))
        series = " ".join(f"{megabytes:.0f}" for megabytes in samples)
        say(
            self._out,
            f"MB after each {self.options.calls // 10:,} of {self.options.calls:,}: {series}",
        )
        # The first tenth fills pools and caches.
        growth = samples[-1] / samples[1] - 1
        name = (
            f"memory over {self.options.calls:,} calls, {workers} process{'es'[: workers * 2 - 2]}"
        )
        self.goals.append(
            report.goal(name, "flat", f"{growth:+.1%} since the second tenth", growth < 0.05)
        )


def _goal_at(clients: list[int]) -> int:
    return _USUAL_CLIENTS if _USUAL_CLIENTS in clients else max(clients)


_PARTS = {"calls": Bench.calls, "shapes": Bench.shapes, "rate": Bench.rate, "memory": Bench.memory}
