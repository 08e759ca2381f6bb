"""Processes while they are under load: their largest memory, and which of them died."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

_EVERY_SECONDS = 0.1


class Watch:
    """`largest_mb`: the most resident memory that one process had; `died`: how many ended."""

    def __init__(self, *pids: int) -> None:
        self.largest_mb, self.died = 0.0, 0
        self._programs = [psutil.Process(pid) for pid in pids]
        self._before = self._processes()

    def _processes(self) -> set[psutil.Process]:
        return {
            process
            for program in self._programs
            for process in (program, *program.children(recursive=True))
        }

    def look(self) -> None:
        """Look once."""
        for process in self._before:
            try:
                self.largest_mb = max(self.largest_mb, process.memory_info().rss / 2**20)
            except psutil.NoSuchProcess:
                continue
        self.died = len(self._before - self._processes())


@contextmanager
def watching(*pids: int) -> Iterator[Watch]:
    """Watch programs, with all processes that they have now, in a thread."""
    watch, over = Watch(*pids), threading.Event()

    def look() -> None:
        while not over.wait(_EVERY_SECONDS):
            watch.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
        watch.look()
