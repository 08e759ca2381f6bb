"""The measurements, one after the other."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from bench.gateway import cost, goals, report, rest, targets
from bench.gateway.goals import Case
from bench.gateway.measure import Figures, Meter
from bench.gateway.report import say
from bench.gateway.targets import BEFORE, BUTLER, LITELLM, Target

# The second process of a server may need longer to start than the first.
_WARM_UP_SECONDS = 3
# Every core is busy, and no call waits for long.
_USUAL_CLIENTS = 64


class Options(NamedTuple):
    """The options of the command line. `before`: a checkout to compare with; `litellm`: the
    environment that LiteLLM is installed in."""

    seconds: float
    clients: list[int]
    latencies: list[int]
    rates: list[int]
    workers: list[int]
    only: list[str]
    calls: int
    before: Path | None
    litellm: Path | None


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
        self._figures: dict[Case, Figures] = {}
        self._memory: list[str] = []

    def run(self) -> None:
        """Measure the upstream alone, then the parts asked for, by the number of processes."""
        self._measure_direct()
        for workers in self.options.workers:
            with self._proxies(workers) as proxies:
                for part in self.options.only:
                    _PARTS[part](self, workers, proxies)
        say(self._out, "", *goals.lines(self._figures, self._direct[False, 0]), *self._memory)

    def _measure_direct(self) -> None:
        for stream in (False, True):
            for latency in sorted({0, *self.options.latencies}):
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
        options = self.options
        servers = [targets.bare(self._provider, workers=workers)]
        if options.litellm and "calls" in options.only:
            servers.append(targets.litellm(self._provider, options.litellm, workers=workers))
        if options.before:
            servers.append(targets.before(self._tokens, workers=workers, folder=options.before))
        servers.append(targets.butler(self._tokens, workers=workers))
        with ExitStack() as stack:
            proxies = [stack.enter_context(server) for server in servers]
            for proxy in proxies:
                self._measure(proxy, False, 0, clients=16, seconds=_WARM_UP_SECONDS)
            say(self._out, "", f"{workers} process{'es' if workers > 1 else ''} each")
            yield {proxy.name: proxy for proxy in proxies}

    def _measure(self, target: Target, stream: bool, latency: int, **changes: Any) -> Figures:
        changes = {"seconds": self.options.seconds} | changes
        if target.name == LITELLM:
            changes["model"] = f"ms{latency}"
        load = target.load(latency=latency, stream=stream, **changes)
        return self._meter.run(load, pid=target.pid)

    def calls(self, workers: int, proxies: dict[str, Target]) -> None:
        """Closed loops: every proxy in turn, so that a busy machine is as busy for all."""
        say(self._out, report.head(list(proxies)))
        for stream in (False, True):
            for latency in self.options.latencies:
                for clients in self.options.clients:
                    self._line(workers, proxies, stream, latency, clients)

    def _line(
        self, workers: int, proxies: dict[str, Target], stream: bool, latency: int, clients: int
    ) -> None:
        results = {
            name: self._measure(proxy, stream, latency, clients=clients)
            for name, proxy in proxies.items()
        }
        line = report.start_of_line(stream, latency, clients)
        line += report.proxies(results, self._direct[stream, latency])
        say(self._out, f"{line} {cost.memory_mb(proxies[BUTLER].pid):>5.0f}")
        if latency == 0:
            self._figures |= {
                Case(name, workers, stream, clients): each for name, each in results.items()
            }

    def shapes(self, workers: int, proxies: dict[str, Target]) -> None:
        """Other kinds of calls: all on one session, and in Anthropic's wire format."""
        butler = proxies[BUTLER]
        one = self._tokens["openai", 0][:1]
        for clients in self.options.clients:
            figures = self._measure(butler, False, 0, clients=clients, tokens=one)
            text = f"all of {clients} clients on one session".ljust(44)
            say(self._out, text + report.proxy(figures, self._direct[False, 0]))
        for stream in (False, True):
            anthropic = self._measure(
                butler, stream, 0, clients=_USUAL_CLIENTS, wire_format="anthropic"
            )
            text = f"/v1/messages, {'stream' if stream else 'whole'}".ljust(44)
            say(self._out, text + report.proxy(anthropic, self._direct[stream, 0]))

    def rate(self, workers: int, proxies: dict[str, Target]) -> None:
        """Open loops: so many calls a second, however late the answers are."""
        # LiteLLM cannot keep up, so only its queue would be measured.
        measured = [name for name in proxies if name != LITELLM]
        say(self._out, report.head(measured))
        for per_second in self.options.rates:
            changes = {"clients": 50, "per_second": per_second, "seconds": 5 * self.options.seconds}
            results = {name: self._measure(proxies[name], False, 0, **changes) for name in measured}
            line = f"{per_second:>5} calls/s offered".ljust(28)
            line += report.proxies(results, self._direct[False, 0])
            say(self._out, f"{line} {cost.memory_mb(proxies[BUTLER].pid):>5.0f}")
            self._figures |= {
                Case(name, workers, per_second=per_second): each for name, each in results.items()
            }

    def rest(self, workers: int, proxies: dict[str, Target]) -> None:
        """The REST API: what a request costs, of this checkout and of the one before."""
        for kind in rest.KINDS:
            for name in (BEFORE, BUTLER):
                if target := proxies.get(name):
                    load = rest.load(kind, port=target.port, seconds=self.options.seconds)
                    figures = self._meter.run(load, pid=target.pid)
                    text = f"{kind}, {rest.CLIENTS} clients, {name}".ljust(44)
                    text += report.proxy(figures, 0) + f" PostgreSQL {figures.postgres_ms:.2f} ms"
                    say(self._out, text)

    def memory(self, workers: int, proxies: dict[str, Target]) -> None:
        """Resident memory while many calls go through."""
        butler, samples = proxies[BUTLER], []
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
        self._memory.append(
            report.goal(name, "flat", f"{growth:+.1%} since the second tenth", growth < 0.05)
        )


_PARTS = {
    "calls": Bench.calls,
    "shapes": Bench.shapes,
    "rate": Bench.rate,
    "rest": Bench.rest,
    "memory": Bench.memory,
}
