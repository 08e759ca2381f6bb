"""A command-line agent as a runner: each attempt is a program in a working folder of its own."""

import asyncio
import errno
import os
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from common.batches import Threads
from orchestration.models import Command
from orchestration.runners.attempt_folder import Folder
from orchestration.runners.base import Failed, Result, Work
from orchestration.runners.bubblewrap import obstacle
from orchestration.runners.fence import Fence, Limits, NoFence
from orchestration.runners.placeholders import ReadAsAnOption, fill, fill_argv
from orchestration.runners.process_group import Child, Program, kill_left_over
from orchestration.runners.scrubbed_text import sentence, without
from orchestration.runners.strays import end_strays
from orchestration.storable_text import storable

_HOST = socket.gethostname()


@dataclass(slots=True)
class _Running:
    command: Command
    folder: Folder
    fence: Fence | None
    child: Child
    began: float = field(default_factory=time.monotonic)


class CommandRunner:
    """Carries attempts out as programs that a superuser configured (`models.Command`), in a fence.

    Another worker cannot continue a program, because its output goes to the process that started
    it. A worker that takes such an attempt over ends the program, if it still runs on the same
    machine, and raises Failed("lost"); on another machine it ended together with its worker. The
    folder is removed when the attempt has ended. The error of a failed attempt has the last output.
    """

    def __init__(self) -> None:
        self._database = Threads(1)
        self._running: dict[str, _Running] = {}

    async def spawn(self, work: Work) -> dict[str, Any]:
        """Start the program. Raises Failed: misconfigured, refused, lost."""
        if work.session_id not in self._running:
            if work.again:
                await self._fail_as_lost(work, None)
            command = await self._database.run(_command, work.runner)
            await self._start(work, command)
        child = self._running[work.session_id].child
        return {"host": _HOST, "pid": child.pid, "started": child.started}

    async def poll(self, work: Work, handle: dict[str, Any], *, seconds: float) -> bool:
        """Whether the program has ended. Raises Failed("lost") if another process started it."""
        running = await self._own(work, handle)
        done, _ = await asyncio.wait([running.child.over], timeout=seconds)
        return bool(done)

    async def result(self, work: Work, handle: dict[str, Any]) -> Result:
        """The result, read as the command is configured. Raises Failed."""
        running = await self._own(work, handle)
        code = await asyncio.shield(running.child.over)
        if running.fence and running.fence.verdict:
            raise Failed("failed", running.fence.verdict)
        if code != 0:
            raise Failed("failed", _failure_text(running.child, code, secret=work.token))
        text = without(await _result_text(running, secret=work.token), secret=work.token)
        if not text.strip():
            raise Failed("unusable_answer", "The command succeeded without any output.")
        return Result(storable(text), _facts(running, secret=work.token))

    async def cancel(self, work: Work, handle: dict[str, Any] | None) -> None:
        """End the program and its child processes, within some seconds."""
        if running := self._running.get(work.session_id):
            await running.child.stop()
        else:
            await asyncio.to_thread(_end_left_over, work.session_id, handle)

    async def forget(self, work: Work, handle: dict[str, Any] | None) -> None:
        """End the program if it still runs, and remove its folder."""
        if running := self._running.pop(work.session_id, None):
            await _clear_away(running)

    async def close(self) -> None:
        """End all programs."""
        running, self._running = list(self._running.values()), {}
        await asyncio.gather(*map(_clear_away, running))
        self._database.close()

    async def _own(self, work: Work, handle: dict[str, Any]) -> _Running:
        if work.session_id not in self._running:
            await self._fail_as_lost(work, handle)
        return self._running[work.session_id]

    async def _fail_as_lost(self, work: Work, handle: dict[str, Any] | None) -> None:
        await asyncio.to_thread(_end_left_over, work.session_id, handle)
        raise Failed("lost", "The worker that ran the command was lost.")

    async def _start(self, work: Work, command: Command) -> None:
        folder = Folder(work.session_id)
        try:
            folder.make(storable(work.prompt))
        except FileExistsError:
            await self._fail_as_lost(work, None)
        try:
            fence = _fence(work, command)
            if fence:
                program = _program(work, command, fence, gateway_url=fence.gateway_url)
                child = await fence.start(program, folder.prompt)
            else:
                program = _program(work, command, folder, gateway_url=work.gateway_url)
                child = await Child.start(program)
        except BaseException as error:
            folder.remove()
            if isinstance(error, OSError | ReadAsAnOption | NoFence):
                raise _start_failure(command, error) from None
            raise
        self._running[work.session_id] = _Running(command, folder, fence, child)
        folder.note_child(child.pid, child.started)


def _command(runner: str) -> Command:
    slug = runner.removeprefix("command:")
    command = Command.objects.filter(slug=slug, disabled_at=None).first()
    if command is None:
        raise Failed("misconfigured", f"The command {slug!r} does not exist or is disabled.")
    return command


def _fence(work: Work, command: Command) -> Fence | None:
    if command.unfenced_because:
        return None
    for says in filter(None, map(obstacle, command.read_only_folders)):
        raise NoFence(says.rstrip("."))
    limits = Limits(command.memory_bytes_max, command.processes_max, command.folder_bytes_max)
    return Fence(work.gateway_url, limits, command.read_only_folders)


def _program(work: Work, command: Command, place: Fence | Folder, *, gateway_url: str) -> Program:
    values = {
        "prompt": storable(work.prompt),
        "prompt_file": str(place.prompt),
        "model": work.model,
        "workdir": str(place.home),
        "label": storable(work.label),
        "thinking": work.thinking,
        "session_id": work.session_id,
        "gateway_url": gateway_url,
        "gateway_root": gateway_url.removesuffix("/v1"),
    }
    secret = values | {"token": work.token}
    usual = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(place.home),
        "LANG": "C.UTF-8",
        "TMPDIR": str(place.tmp),
    }
    own = {name: fill(template, secret) for name, template in command.environment.items()}
    stdin = place.prompt if command.prompt_by == Command.PromptBy.STDIN else None
    return Program(
        fill_argv(command.argv, values), usual | own, place.home, stdin, command.output_bytes_max
    )


def _start_failure(command: Command, error: Exception) -> Failed:
    if isinstance(error, ReadAsAnOption):
        return Failed("refused", f"{command}: {error}; the program would read it as an option.")
    if isinstance(error, OSError) and error.errno == errno.E2BIG:
        return Failed("refused", f"{command}: the prompt is too long to be passed as an argument.")
    if isinstance(error, NoFence):
        return Failed(
            "misconfigured",
            f"{command} is not started, because it cannot be fenced in: {error}. Install or allow "
            "bubblewrap as docs/runners.md says, or have an administrator switch the fence off.",
        )
    return Failed("misconfigured", f"{command} cannot be started: {_reason(error)}.")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


async def _result_text(running: _Running, *, secret: str) -> str:
    command, out = running.command, running.child.out
    if command.result_from == Command.ResultFrom.FILE:
        return await asyncio.to_thread(_read_result_file, running)
    if command.result_from == Command.ResultFrom.STDOUT:
        return out.text(secret=secret)
    if out.cut:
        raise Failed("unusable_answer", f"Its output of {out.size:,} bytes exceeds the limit.")
    return _in_json(out.text(secret=secret), command.result_path)


def _read_result_file(running: _Running) -> str:
    name, most = running.command.result_path, running.command.output_bytes_max
    try:
        written = (running.fence or running.folder).read(name, most=most)
    except OSError as error:
        raise Failed(
            "unusable_answer", f"{name} cannot be read: {error.strerror or error}"
        ) from None
    if len(written) > most:
        raise Failed("unusable_answer", f"{name} has more than {most:,} bytes.")
    return written.decode("utf-8", "replace")


def _in_json(text: str, path: str) -> str:
    try:
        found = msgspec.json.decode(text)
        for name in path.split("."):
            found = found[name]
    except (ValueError, KeyError, TypeError):
        raise Failed("unusable_answer", f"Its output has no JSON field {path!r}.") from None
    return found if isinstance(found, str) else msgspec.json.encode(found).decode()


def _failure_text(child: Child, code: int, *, secret: str) -> str:
    # As a shell says it, bubblewrap says it: 128 and the number of the signal.
    number = code - 128 if code > 128 else -code
    by_signal = number in set(signal.Signals)
    how = f"killed by {signal.Signals(number).name}" if by_signal else f"exit code {code}"
    # Some programs report errors on standard output.
    output = child.err.end(secret=secret).strip() or child.out.end(secret=secret)
    return sentence(f"{how}: {without(output, secret=secret)}", secret=secret)


def _facts(running: _Running, *, secret: str) -> dict[str, Any]:
    out, err = running.child.out, running.child.err
    return {
        "command": running.command.slug,
        "seconds": round(time.monotonic() - running.began, 3),
        "output_bytes": out.size,
        "output_bytes_left_out": out.cut,
        "stderr": sentence(err.end(secret=secret), secret=secret),
    }


def _end_left_over(session_id: str, handle: dict[str, Any] | None) -> None:
    """End the program that another worker of this machine started, and remove its folder."""
    folder = Folder(session_id)
    children = [folder.child_process()]
    if handle and handle["host"] == _HOST:
        children.append((handle["pid"], handle["started"]))
    for child in filter(None, children):
        kill_left_over(*child)
    folder.remove()


async def _clear_away(running: _Running) -> None:
    running.child.kill()
    await asyncio.wait([running.child.over])
    if running.fence:
        # What left the process group ended with the fence.
        running.fence.close()
    else:
        await asyncio.to_thread(end_strays, running.folder.path)
    await asyncio.to_thread(running.folder.remove)
