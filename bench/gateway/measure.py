"""One measurement: a load on a server, and what it cost the server's processes meanwhile."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

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
        """Calls that were not answered with 200."""
        return self.measured.calls - self.measured.statuses.get(200, 0)


class Meter:
    """Measures loads, one after the other, with one process that makes them."""

    def __init__(self, process: subprocess.Popen, postgres: int | None) -> None:
        self._process, self._postgres = process, postgres

    def run(self, load: Load, *, pid: int) -> Figures:
        """Put `load` on the server with the process `pid`."""
        self._process.stdin.write(msgspec.json.encode(load).decode() + "\n")
        self._process.stdin.flush()
        self._line()
        before = spent(pid, self._postgres)
        self._line()
        after = spent(pid, self._postgres)
        return Figures(msgspec.json.decode(self._line(), type=Measured), after.since(before))

    def _line(self) -> str:
        if line := self._process.stdout.readline():
            return line
        raise SystemExit("The load has died; what it said is above.")


@contextmanager
def meter(postgres: int | None) -> Iterator[Meter]:
    """A meter with its process, which ends with it."""
    command = [sys.executable, "-m", "bench.gateway.load"]
    process = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Meter(process, postgres)
    finally:
        process.stdin.close()
        process.wait(30)
