"""What processes cost: seconds of CPU and memory, of a program and all it started."""

from typing import NamedTuple

import psutil
from django.db import connection


class Spent(NamedTuple):
    """Seconds of CPU so far."""

    server: float
    postgres: float

    def since(self, before: "Spent") -> "Spent":
        """What was spent between two looks."""
        return Spent(self.server - before.server, self.postgres - before.postgres)


def spent(pid: int, postgres: int | None) -> Spent:
    """What a server and PostgreSQL have spent so far; both with all their processes."""
    return Spent(_cpu(pid), _cpu(postgres) if postgres else 0.0)


def memory_mb(pid: int) -> float:
    """Resident memory of a server with all its processes."""
    return sum(process.memory_info().rss for process in _tree(pid)) / 2**20


def postgres_pid() -> int | None:
    """The first process of PostgreSQL; None when it runs elsewhere."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    connection.close()
    try:
        process = psutil.Process(pid)
        return process.ppid() if "postgres" in process.name() else None
    except psutil.NoSuchProcess:
        return None


def _cpu(pid: int) -> float:
    total = 0.0
    for process in _tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        # Children that have ended count too, so that the time of an ended backend is not lost.
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _tree(pid: int) -> list[psutil.Process]:
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]
