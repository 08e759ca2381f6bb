"""Run several programs as one: start them, restart those that die, stop all of them together.

Each program leads its own process group. So Ctrl-C reaches only the supervisor, which asks the
programs to stop in an orderly way, and the children of a killed program can be found. On Linux the
kernel also asks the programs to stop when the supervisor itself is killed.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 20
_PAUSE_SECONDS_MAX = 30
_STABLE_SECONDS = 60
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Program:
    """A program to keep running: what it is called in messages, and its command line."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started_at: float = 0.0  # Monotonic seconds, as the next one.
    start_again_at: float = 0.0
    deaths: int = 0  # In a row, without a quiet minute between them.


class Supervisor:
    """Keeps programs running until a signal to stop arrives."""

    def __init__(
        self, programs: list[Program], *, environ: dict[str, str], say: Callable[[str], None]
    ) -> None:
        """`environ` is the programs' environment; `say` receives sentences for the operator."""
        self.programs = programs
        self.environ = environ
        self.say = say
        self.stop_signals = 0

    def run(self, *, ready: Callable[[], bool], announce: Callable[[], None]) -> None:
        """Run until a signal; call `announce` once, as soon as `ready` answers yes."""
        before = {number: signal.signal(number, self._on_signal) for number in _STOP_SIGNALS}
        announced = False
        try:
            while not self.stop_signals:
                for program in self.programs:
                    self._keep_running(program)
                if not announced and ready():
                    announced = True
                    announce()
                time.sleep(_POLL_SECONDS)
        finally:
            self._stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: object) -> None:
        self.stop_signals += 1

    def _keep_running(self, program: Program) -> None:
        now = time.monotonic()
        if program.process is None:
            if now >= program.start_again_at:
                self._start(program)
        elif program.process.poll() is not None:
            self._clear_away(program, program.process, now=now)

    def _start(self, program: Program) -> None:
        program.started_at = time.monotonic()
        program.process = subprocess.Popen(  # noqa: S603
            program.command,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            close_fds=False,  # They inherit the lock that says Butler runs: common.single_instance.
            preexec_fn=die_with_parent,
        )

    def _clear_away(
        self, program: Program, process: subprocess.Popen[bytes], *, now: float
    ) -> None:
        """Clear away what is left of a program that died, and set when it starts again."""
        _signal_group(process, signal.SIGKILL)
        was_stable = now - program.started_at > _STABLE_SECONDS
        program.deaths = 1 if was_stable else program.deaths + 1
        pause = min(2 ** (program.deaths - 1), _PAUSE_SECONDS_MAX)
        ending = _ending(process.returncode)
        self.say(f"{program.name} {ending}; it starts again in {pause} s.")
        program.process = None
        program.start_again_at = now + pause

    def _stop(self) -> None:
        """Ask all programs to stop; after a while, or at a second signal, kill the others."""
        running = [program.process for program in self.programs if program.process]
        for process in running:
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + _GRACE_SECONDS
        signals_before = self.stop_signals
        while any(process.poll() is None for process in running):
            if time.monotonic() > until or self.stop_signals > signals_before:
                break
            time.sleep(_POLL_SECONDS)
        for process in running:
            _signal_group(process, signal.SIGKILL)
            process.wait()


def die_with_parent() -> None:
    """Have the kernel ask this process to stop when the one that started it has died (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # Nothing is left of it.
        os.killpg(process.pid, number)


def _ending(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"
