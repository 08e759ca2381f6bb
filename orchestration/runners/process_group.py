"""A program in a process group of its own, which ends together with all its child processes."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from orchestration.runners.output_capture import OutputCapture

_GRACE_SECONDS = 3
_DRAIN_SECONDS = 1
_STARTED_SECONDS_OFF = 2
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Program:
    """How to start a program; `output_bytes_max` bytes each of stdout and stderr are kept.

    `descriptors`: which it inherits besides. `user`: the id of its user and group; None for
    Butler's own. `ignores`: signals that it begins with ignoring.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    stdin: Path | None
    output_bytes_max: int
    descriptors: tuple[int, ...] = ()
    user: int | None = None
    ignores: tuple[signal.Signals, ...] = ()

    def before_exec(self) -> None:
        """What the child does before it becomes the program."""
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        for number in self.ignores:
            signal.signal(number, signal.SIG_IGN)


class Child:
    """A running program. `over` returns its exit code when its whole process group has ended."""

    def __init__(
        self, process: asyncio.subprocess.Process, out: OutputCapture, err: OutputCapture
    ) -> None:
        self.pid, self.out, self.err = process.pid, out, err
        self.started = _start_time(process.pid)
        self._process = process
        self.over: asyncio.Task[int] = asyncio.create_task(self._wait_for_end())

    @classmethod
    async def start(cls, program: Program) -> "Child":
        """Start the program. Error: OSError."""
        out, out_pipe = await OutputCapture.open(program.output_bytes_max)
        err, err_pipe = await OutputCapture.open(program.output_bytes_max)
        stdin = os.open(program.stdin or os.devnull, os.O_RDONLY)
        try:
            process = await asyncio.create_subprocess_exec(
                *program.argv,
                cwd=program.folder,
                env=program.environment,
                stdin=stdin,
                # Own pipes: asyncio's would wait for every process that holds them open.
                stdout=out_pipe,
                stderr=err_pipe,
                start_new_session=True,
                pass_fds=program.descriptors,
                user=program.user,
                group=program.user,
                extra_groups=None if program.user is None else [],
                preexec_fn=program.before_exec,
            )
        except BaseException:
            out.close()
            err.close()
            raise
        finally:
            for pipe in (stdin, out_pipe, err_pipe):
                os.close(pipe)
        return cls(process, out, err)

    async def stop(self) -> None:
        """Ask the group to stop, and kill what still runs after some seconds."""
        if not self.over.done():
            kill_group(self.pid, signal.SIGTERM)
            await asyncio.wait([self.over], timeout=_GRACE_SECONDS)
            self.kill()
            await asyncio.wait([self.over])

    def kill(self) -> None:
        """Kill the whole group at once."""
        if not self.over.done():
            kill_group(self.pid, signal.SIGKILL)

    async def _wait_for_end(self) -> int:
        code = await self._process.wait()
        # The last output may still be in the pipes. Processes that keep them open are killed.
        closed = [asyncio.create_task(one.closed.wait()) for one in (self.out, self.err)]
        _, open_ = await asyncio.wait(closed, timeout=_DRAIN_SECONDS)
        kill_group(self.pid, signal.SIGKILL)
        for waiting in open_:
            waiting.cancel()
        self.out.close()
        self.err.close()
        return code


def kill_left_over(pid: int, started: float) -> None:
    """Kill the process group of a child that another worker started.

    `started` shows whether the process id belongs to another program by now, which is left alone.
    """
    try:
        if abs(psutil.Process(pid).create_time() - started) > _STARTED_SECONDS_OFF:
            return
    except psutil.NoSuchProcess:
        # While a process of its group lives, the system does not reuse the id.
        pass
    kill_group(pid, signal.SIGKILL)


def kill_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to every process of a group, if it exists."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _start_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:  # It has ended already.
        return time.time()
