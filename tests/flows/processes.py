"""Butler's processes as `manage.py up` starts them, on the database of the test, to be killed."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from urllib.parse import quote

import psutil
from django.conf import settings
from django.db import connection

from butler_site.management.commands.up import web_server


class Processes:
    """A web server, a queue, workers of tasks and the sandbox provider, each a group of processes:
    those in `only`.

    kill_all: `kill -9` to every process of all of them; kill: of one; kill_one: to one worker of
    each, which its master replaces by itself; terminate: as Ctrl-C; start: what does not run.
    `environ`: additional environment variables.
    """

    def __init__(
        self,
        *,
        only: tuple[str, ...] = ("web", "queue"),
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        port, sandbox_port = _free_port(), str(_free_port())
        self.url = f"http://127.0.0.1:{port}"
        commands = {
            "web": [sys.executable, *web_server("127.0.0.1", port)],
            "queue": [sys.executable, "manage.py", "qcluster"],
            "work": [sys.executable, "manage.py", "work"],
            "sandbox": [sys.executable, "-m", "gateway.sandbox", "--port", sandbox_port],
        }
        self._commands = {name: commands[name] for name in only}
        self._environ = {"BUTLER_GATEWAY_URL": self.url}
        if "sandbox" in only:
            self._environ["BUTLER_SANDBOX_URL"] = f"http://127.0.0.1:{sandbox_port}/v1"
        self._environ |= environ
        self._running: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Start what does not run (any more); returns when the web server answers."""
        for name, command in self._commands.items():
            if name not in self._running or self._running[name].poll() is not None:
                self._running[name] = subprocess.Popen(
                    command,
                    cwd=settings.BASE_DIR,
                    env=_environ() | self._environ,
                    start_new_session=True,
                )
        end = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < end, "the web server does not answer"
            time.sleep(0.1)

    def of(self, name: str) -> list[psutil.Process]:
        """The processes of one of them, the master first."""
        master = psutil.Process(self._running[name].pid)
        return [master, *master.children(recursive=True)]

    def kill_all(self) -> None:
        """Kill every process group at once."""
        for name in list(self._running):
            self.kill(name)

    def kill(self, name: str) -> None:
        """One group, likewise; `start` starts it again."""
        group: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):  # It has ended by itself.
            group = self.of(name)
        process = self._running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # A worker that is still dying has the port.
        while any(map(_is_alive, group)):
            time.sleep(0.005)

    def terminate(self) -> None:
        """Ask all to stop; returns when they have."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait(timeout=60)
        self._running.clear()

    def kill_one(self, number: int) -> None:
        """One process below each of them."""
        for name in self._running:
            self.kill_child(name, number)

    def kill_child(self, name: str, number: int) -> None:
        """One process below one of them."""
        _, *children = self.of(name)
        if children:
            children[number % len(children)].kill()

    def kill_worker(self) -> None:
        """The worker of the web server with the most connections; its master replaces it."""
        _, *children = self.of("web")
        max(children, key=lambda child: len(child.net_connections())).kill()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/healthz", timeout=2).close()  # noqa: S310
        except OSError:
            return False
        return True


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    """A port that is free and stays so while its server is killed and started again: none of those
    that the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(12_000, 30_000)  # noqa: S311 - no secret
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def database_url(name: str | None = None) -> str:
    """The database of the tests as DATABASE_URL, or another one on its server."""
    database = connection.settings_dict
    user = quote(database["USER"])
    if database["PASSWORD"]:
        user += f":{quote(database['PASSWORD'])}"
    port = f":{database['PORT']}" if database["PORT"] else ""
    host = quote(database["HOST"], safe="/")
    return f"postgres://{user}@{port}/{quote(name or database['NAME'])}?host={host}"


def _environ() -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": database_url(), "PYTHONPATH": str(settings.BASE_DIR)}
