"""Butler's processes as `manage.py up` starts them, on the database of the test, to be killed."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

import psutil
from django.conf import settings
from django.db import connection

from butler_site.management.commands.up import web_server


class Processes:
    """A web server, a queue and workers of tasks, each a group of processes: those in `only`.

    kill_all: `kill -9` to every process of all of them; kill: of one; kill_one: to one worker of
    each, which its master replaces by itself; terminate: as Ctrl-C; start: what does not run.
    `environ`: what they are told besides.
    """

    def __init__(
        self,
        *,
        only: tuple[str, ...] = ("web", "queue"),
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        commands = {
            "web": [sys.executable, *web_server("127.0.0.1", port)],
            "queue": [sys.executable, "manage.py", "qcluster"],
            "work": [sys.executable, "manage.py", "work"],
        }
        self._commands = {name: commands[name] for name in only}
        self._environ = {"BUTLER_GATEWAY_URL": self.url} | dict(environ)
        self._running: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Start what does not run; returns when the web server answers."""
        for name, command in self._commands.items():
            if name not in self._running:
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

    def pid(self, name: str) -> int:
        """Of the first process of one of them."""
        return self._running[name].pid

    def kill_all(self) -> None:
        """Every group, in the middle of whatever they do."""
        for name in list(self._running):
            self.kill(name)

    def kill(self, name: str) -> None:
        """One group, likewise; `start` starts it again."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def terminate(self) -> None:
        """Ask all to stop; returns when they have."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait(timeout=60)
        self._running.clear()

    def kill_one(self, number: int) -> None:
        """One process below each of them."""
        for process in self._running.values():
            children = psutil.Process(process.pid).children(recursive=True)
            if children:
                children[number % len(children)].kill()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/healthz", timeout=2).close()  # noqa: S310
        except OSError:
            return False
        return True


def _environ() -> dict[str, str]:
    database = connection.settings_dict
    who = quote(database["USER"])
    if database["PASSWORD"]:
        who += f":{quote(database['PASSWORD'])}"
    port = f":{database['PORT']}" if database["PORT"] else ""
    where = f"{port}/{quote(database['NAME'])}?host={quote(database['HOST'], safe='/')}"
    return {
        **os.environ,
        "DATABASE_URL": f"postgres://{who}@{where}",
        "PYTHONPATH": str(settings.BASE_DIR),
    }
