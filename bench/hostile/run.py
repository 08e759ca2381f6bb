"""Start everything, measure each kind of attack, print a line for each."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import IO, TextIO

import msgspec
from django.conf import settings
from django.db import connections

from bench import rows as bench_rows
from bench import server
from bench.gateway import cost, measure, report
from bench.gateway.load import Load
from bench.gateway.measure import Figures, Meter
from bench.hostile import rows
from bench.hostile.attacks import Attack
from bench.hostile.watch import Watch, watching
from butler_site.management.commands import up
from keys import services as keys
from keys.books.queries.books_check import books_check
from keys.models import Charge

_RATIO_MAX, _MEGABYTES_MAX = 2.0, 400
_BODY = json.dumps(
    {
        "model": "any",
        "max_tokens": 60,
        "messages": [{"role": "user", "content": "[[sandbox output=20]] Who paid for March? " * 4}],
    }
)
_CONNECTIONS = 20
_HEAD = (
    f"{'attack':>18} | {'alone p50/p99':>15} | {'attacked p50/p99':>16} {'ratio':>6} "
    f"{'failed':>6} | {'died':>4} {'MB':>4} {'load':>5} | answers to the attacker"
)


class _Attacker:
    """The process of the attacker."""

    def __init__(self, orders: IO[str], results: IO[str]) -> None:
        self._orders, self._results = orders, results

    def begin(self, attack: Attack) -> None:
        """Let it attack."""
        self._orders.write(msgspec.json.encode(attack).decode() + "\n")
        self._orders.flush()

    def end(self) -> str:
        """Wait for its end; what came of it."""
        counts: dict[str, int] = json.loads(self._results.readline())
        return ", ".join(f"{count} × {result}" for result, count in sorted(counts.items()))


@contextmanager
def _attacker() -> Iterator[_Attacker]:
    command = [sys.executable, "-m", "bench.hostile.attacks"]
    process = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if process.stdin is None or process.stdout is None:
        raise SystemExit("The process of the attacker has no pipes.")
    try:
        yield _Attacker(process.stdin, process.stdout)
    finally:
        process.stdin.close()
        process.wait(60)


@contextmanager
def _program(command: str, environ: Mapping[str, str]) -> Iterator[int]:
    """A command of `manage.py` that runs until it is stopped; the id of its process."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, str(settings.BASE_DIR / "manage.py"), command],
        env={**up.environ(), **environ},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


class _Run:
    """Butler and its honest agents, under one attack after the other."""

    def __init__(
        self,
        options: argparse.Namespace,
        made: rows.Rows,
        meter: Meter,
        attacker: _Attacker,
        port: int,
        pids: tuple[int, ...],
    ) -> None:
        self._options, self._made, self._port, self._pids = options, made, port, pids
        self._meter, self._attacker = meter, attacker

    def honest(self) -> Figures:
        """The calls of the honest agents for some seconds."""
        load = Load(
            port=self._port,
            path="/v1/chat/completions",
            body=_BODY,
            tokens=self._made.honest,
            clients=_CONNECTIONS,
            per_second=self._options.per_second,
            seconds=self._options.seconds,
        )
        return self._meter.run(load, pid=self._pids[0])

    def under(self, kind: str) -> tuple[Figures, Watch, str]:
        """The same calls under an attack, which goes on until they are over."""
        seconds = self._options.seconds + 1
        with watching(*self._pids) as watch:
            self._attacker.begin(Attack(kind, self._port, seconds, *self._made.attackers[kind]))
            figures = self.honest()
            results = self._attacker.end()
        return figures, watch, results

    def line(self, kind: str) -> tuple[str, bool]:
        """Measure one kind; its line, and whether it is within what is promised."""
        alone = self.honest()
        attacked, watch, results = self.under(kind)
        ratio = attacked.measured.p99 / max(alone.measured.p99, 0.1)
        load = os.getloadavg()[0]
        line = (
            f"{kind:>18} | {_percentiles(alone):>15} | {_percentiles(attacked):>16} {ratio:>6.1f} "
            f"{attacked.failed:>6} | {watch.died:>4} {watch.largest_mb:>4.0f} {load:>5.1f} | "
            f"{results}"
        )
        kept = ratio <= _RATIO_MAX and watch.largest_mb <= _MEGABYTES_MAX
        return line, kept and not attacked.failed and not watch.died


def _percentiles(figures: Figures) -> str:
    return f"{figures.measured.p50:.1f}/{figures.measured.p99:.1f} ms"


def run(options: argparse.Namespace, out: TextIO) -> None:
    """Run the kinds that `options` name, print a line for each and what the books say."""
    made = rows.make(options.only)
    connections.close_all()
    with ExitStack() as stack:
        port = server.free_port()
        provider = [sys.executable, "-m", "gateway.sandbox", "--port", str(port)]
        environ = {"BUTLER_SANDBOX_URL": f"http://127.0.0.1:{port}/v1"}
        stack.enter_context(server.serving(provider, port=port, probe="/healthz", environ={}))
        web = stack.enter_context(server.running(workers=options.workers, environ=environ))
        environ["BUTLER_GATEWAY_URL"] = f"http://127.0.0.1:{web.port}"
        workers = stack.enter_context(_program("work", environ))
        stack.enter_context(_program("qcluster", environ))
        meter = stack.enter_context(measure.meter(cost.postgres_pid()))
        attacker = stack.enter_context(_attacker())
        running = _Run(options, made, meter, attacker, web.port, (web.pid, workers))
        # Pools and caches are filled.
        running.honest()
        report.say(out, _HEAD)
        kept = []
        for kind in options.only:
            line, is_kept = running.line(kind)
            report.say(out, line)
            kept.append(is_kept)
        report.say(
            out,
            report.goal(
                "p99 at most doubles, no call fails, no process dies or takes over 400 MB",
                f"{len(kept)} kinds",
                f"{sum(kept)} kinds",
                all(kept),
            ),
        )
    report.say(out, _books())


def _books() -> str:
    """What the books say once all processes have ended and no hold can be kept."""
    end = Charge.objects.order_by("-expires_at").values_list("expires_at", flat=True).first()
    keys.expire_charges(now=end or bench_rows.now())
    broken = [finding.check.name for finding in books_check() if finding.count]
    name = f"books after {Charge.objects.count():,} charges"
    return report.goal(name, "balance", ", ".join(broken) or "balance", not broken)
