"""One measurement: a load on a server, and what it cost the server's processes in that time."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

import msgspec

from bench.gateway.cost import Spent, spent
from bench.gateway.load import Load, Measured


class Figures(NamedTuple):
    """What a load measured, and CPU by processes of the server and of PostgreSQL."""

    measured: Measured
    spent: Spent

    @property
    def server_ms(self) -> float:
        """CPU of the server for each call."""
        return 1000 * self.spent.server / max(self.measured.calls, 1)

    @property
    def postgres_ms(self) -> float:
        """CPU of PostgreSQL for each call."""
        return 1000 * self.spent.postgres / max(self.measured.calls, 1)

    @property
    def load_ms(self) -> float:
        """CPU of the load itself for each call."""
        return 1000 * self.measured.cpu_seconds / max(self.measured.calls, 1)

    @property
    def failed(self) -> int:
        """Calls that were not answered with 200 or 201."""
        return self.measured.calls - sum(self.measured.statuses.get(ok, 0) for ok in (200, 201))


class Meter:
    """Measures loads, one after the other, with one process that makes them."""

    def __init__(self, requests: IO[str], answers: IO[str], postgres: int | None) -> None:
        self._requests, self._answers, self._postgres = requests, answers, postgres

    def run(self, load: Load, *, pid: int) -> Figures:
        """Put `load` on the server with the process `pid`."""
        self._requests.write(msgspec.json.encode(load).decode() + "\n")
        self._requests.flush()
        self._line()
        before = spent(pid, self._postgres)
        self._line()
        after = spent(pid, self._postgres)
        return Figures(msgspec.json.decode(self._line(), type=Measured), after.since(before))

    def _line(self) -> str:
        if line := self._answers.readline():
            return line
        raise SystemExit("The load process has ended; its error is above.")


@contextmanager
def meter(postgres: int | None) -> Iterator[Meter]:
    """A meter with its process, which ends with it."""
    command = [sys.executable, "-m", "bench.gateway.load"]
    process = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if process.stdin is None or process.stdout is None:
        raise SystemExit("The load process has no pipes.")
    try:
        yield Meter(process.stdin, process.stdout, postgres)
    finally:
        process.stdin.close()
        process.wait(30)
