"""At most one running instance per lock file; processes that a killed one left are stopped.

The lock is inherited by every process the instance starts, so it is held until the last of them
is gone, also after `kill -9` of the first.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

_GRACE_SECONDS = 5


class AlreadyRunning(Exception):
    """Another instance holds the lock; `pid` is its first process."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"process {pid} already runs")
        self.pid = pid


def claim(file: Path) -> int:
    """Hold `file` until this process and all it starts are gone; return the descriptor.

    Raises `AlreadyRunning` if the instance that holds it is alive. If only leftovers of a killed
    one hold it, they are stopped first.
    """
    lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    if not _try_lock(lock):
        first = int(os.pread(lock, 20, 0) or 0)
        holders = _holders(file)
        if first in {process.pid for process in holders}:
            raise AlreadyRunning(first)
        _end(holders, lock=lock)
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    os.set_inheritable(lock, True)
    return lock


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holders(file: Path) -> list[psutil.Process]:
    """Other processes that have `file` open."""
    name = str(file.resolve())
    return [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid() and name in _open_files(process)
    ]


def _open_files(process: psutil.Process) -> set[str]:
    try:
        return {opened.path for opened in process.open_files()}
    except psutil.Error:
        return set()  # It has ended, or belongs to another user.


def _end(processes: list[psutil.Process], *, lock: int) -> None:
    """Wait until the processes have stopped (their parent's death asked them to); then kill them.

    The lock says when they are gone. Their ids do not: an orphan keeps its id until it is reaped.
    """
    until = time.monotonic() + _GRACE_SECONDS
    while not _try_lock(lock):
        if time.monotonic() > until:
            _kill(processes)
            fcntl.flock(lock, fcntl.LOCK_EX)
            return
        time.sleep(0.1)


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # psutil compares the start time: a reused id is safe.
            process.kill()
