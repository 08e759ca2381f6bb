"""A Butler of its own, database included, whose parts are killed at random."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from common import embedded_postgres
from tests.flows.processes import Processes

# Joins the server in the folder, and so starts it if it does not run.
_JOIN = "import sys; from pathlib import Path; from common import embedded_postgres as e; "
_JOIN += "e.start(Path(sys.argv[1]))"


class Database:
    """An embedded PostgreSQL in `folder`, which the connections of this process are led to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def running(self) -> Iterator["Database"]:
        """Start it, and lead `connection` to it while it runs."""
        embedded_postgres.start(self._folder)
        before = dict(connection.settings_dict)
        connection.close()
        connection.settings_dict.update(embedded_postgres.connection_settings(self._folder))
        try:
            yield self
        finally:
            connection.close()
            connection.settings_dict.update(before)

    def kill(self) -> None:
        """`kill -9` to the server, so that it recovers from its log when it is started again."""
        pid = int((self._folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(pid, signal.SIGKILL)
        connection.close()
        subprocess.run(
            [sys.executable, "-c", _JOIN, str(self._folder)], cwd=settings.BASE_DIR, check=True
        )


class Chaos:
    """Kills what a seeded die says; `killed` is the list of victims."""

    def __init__(self, processes: Processes, database: Database, *, seed: int) -> None:
        self.killed: list[str] = []
        self._processes, self._database = processes, database
        self._dice = random.Random(seed)
        self._victims: list[str] = []

    def strike(self) -> None:
        """Kill one process, and start it again if no supervisor does."""
        victim = self._next()
        self.killed.append(victim)
        if victim == "database":
            self._database.kill()
        elif victim.startswith("one of "):
            self._kill_child(victim.removeprefix("one of "))
        else:
            self._processes.kill(victim)
            self._processes.start()

    def until(self, holds: Callable[[], bool], *, seconds: float) -> bool:
        """Wait for it as a supervisor does, which starts again what could not start without a
        database; whether it came true."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                return False
            self._processes.start()
            time.sleep(0.2)
        return True

    def _kill_child(self, name: str) -> None:
        assert self.until(lambda: len(self._processes.of(name)) > 2, seconds=30)
        self._processes.kill_child(name, self._dice.randrange(100))

    def _next(self) -> str:
        """Every victim once before any a second time, so that few kills see them all."""
        if not self._victims:
            self._victims = ["one of work", "work", "one of web", "web", "sandbox", "database"]
            self._dice.shuffle(self._victims)
        return self._victims.pop()


@contextmanager
def running(names: tuple[str, ...], environ: Mapping[str, str]) -> Iterator[Processes]:
    """These processes; none is left afterwards."""
    processes = Processes(only=names, environ=environ)
    try:
        processes.start()
        yield processes
    finally:
        processes.kill_all()
