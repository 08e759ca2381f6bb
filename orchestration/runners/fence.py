"""The fence around a command: bubblewrap, and in it only programs, an empty folder, the gateway."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from orchestration.runners.attempt_folder import read_regular
from orchestration.runners.bubblewrap import HOME, PROMPT, TMP, bubblewrap, system_python
from orchestration.runners.gateway_relay import GatewayRelay
from orchestration.runners.process_group import Child, Program

_PORT = 8080
_FILES_MAX = 100_000
_PRINTED_BYTES_MAX = 250_000_000
_START_SECONDS = 30
_WATCH_SECONDS = 0.5
# Of what needs no account of its own: it exists in every container, too.
_NOBODY = 65534
_STARTER = Path(__file__).with_name("fence_starter.py").read_text()
_MEMORY = re.compile(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)


class NoFence(Exception):
    """No fence can be put around a program on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the processes of one attempt may use together, but `memory_bytes` also each."""

    memory_bytes: int
    processes: int
    folder_bytes: int


class Fence:
    """The fence of one attempt.

    `home`, `tmp`, `prompt`: where the program finds them. `gateway_url`: the gateway as it is
    reached from inside. `verdict`: why the program was ended, if it used too much.
    """

    home, tmp, prompt = HOME, TMP, PROMPT

    def __init__(self, gateway_url: str, limits: Limits, read_only: Sequence[str]) -> None:
        self._limits, self._read_only = limits, read_only
        self._relay = GatewayRelay(gateway_url)
        self.gateway_url = f"http://127.0.0.1:{_PORT}{self._relay.path}"
        self.verdict = ""
        self._home: int | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self, program: Program, prompt: Path) -> Child:
        """Start the program inside; `prompt` is the file outside. Errors: NoFence, OSError."""
        worker, starter = socket.socketpair()
        with worker, starter, prompt.open("rb") as text:
            child = await Child.start(self._fenced(program, starter.fileno(), text.fileno()))
            starter.close()
            try:
                listener = await asyncio.to_thread(self._entered, worker)
                await self._relay.serve(listener)
            except BaseException as error:
                child.kill()
                await asyncio.wait([child.over])
                self.close()
                if isinstance(error, NoFence):
                    raise NoFence(child.err.end(secret="").strip() or "bwrap ended") from None
                raise
        self._watching = asyncio.create_task(self._watch(child))
        return child

    def read(self, name: str, *, most: int) -> bytes:
        """The content of a file in the working folder; see `attempt_folder.read_regular`."""
        return read_regular(name, most=most, folder=self._home)

    def close(self) -> None:
        """Free the working folder and the way to the gateway."""
        self._relay.close()
        if self._home is not None:
            os.close(self._home)
            self._home = None

    def _fenced(self, program: Program, channel: int, prompt: int) -> Program:
        if (bwrap := shutil.which("bwrap")) is None:
            raise NoFence("bubblewrap is not installed")
        options = bubblewrap(
            folder_bytes=self._limits.folder_bytes, prompt=prompt, read_only=self._read_only
        )
        limits = {
            "memory": self._limits.memory_bytes,
            "processes": self._limits.processes,
            "file": self._limits.folder_bytes,
        }
        return replace(
            program,
            argv=[
                *(bwrap, *options, "--", system_python(), "-I", "-S", "-c", _STARTER),
                *(str(channel), str(self.home), str(program.stdin or os.devnull), str(_PORT)),
                *(json.dumps(limits), *program.argv),
            ],
            folder=Path("/"),
            stdin=None,
            descriptors=(channel, prompt),
            user=_NOBODY if os.geteuid() == 0 else None,
            # For bubblewrap: the signal is meant for the program, whose end is bubblewrap's end.
            ignores=(signal.SIGTERM,),
        )

    def _entered(self, worker: socket.socket) -> socket.socket:
        """Wait until the starter is the program; return the socket that listens inside."""
        worker.settimeout(_START_SECONDS)
        _, received, _, _ = socket.recv_fds(worker, 16, 2, socket.MSG_CMSG_CLOEXEC)
        if not received:
            raise NoFence
        listener, self._home = socket.socket(fileno=received[0]), received[1]
        if number := worker.recv(16):
            listener.close()
            raise OSError(int(number), os.strerror(int(number)))
        return listener

    async def _watch(self, child: Child) -> None:
        while not child.over.done() and not self.verdict:
            self.verdict = await asyncio.to_thread(self._excess, child)
            if self.verdict:
                child.kill()
            await asyncio.wait([child.over], timeout=_WATCH_SECONDS)

    def _excess(self, child: Child) -> str:
        if child.out.size + child.err.size > _PRINTED_BYTES_MAX:
            return f"It printed more than {_PRINTED_BYTES_MAX:,} bytes."
        if _memory_bytes(child.pid) > self._limits.memory_bytes:
            return f"It used more than {self._limits.memory_bytes:,} bytes of memory."
        if self._home is not None:
            used = os.fstatvfs(self._home)
            if used.f_files - used.f_ffree > _FILES_MAX:
                return f"Its working folder had more than {_FILES_MAX:,} files."
        return ""


def _memory_bytes(pid: int) -> int:
    """What a process uses together with all that descend from it."""
    total, pids = 0, [str(pid)]
    while pids:
        process = Path("/proc") / pids.pop()
        with suppress(OSError):  # It has ended.
            total += sum(map(int, _MEMORY.findall((process / "status").read_text())))
            for thread in (process / "task").iterdir():
                pids += (thread / "children").read_text().split()
    return total * 1024
