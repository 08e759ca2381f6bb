"""Servers that are measured: the web server as `manage.py up` runs it, and others beside it."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from butler_site.management.commands import up

_APPLICATION = "butler_site.asgi:application"


class Server(NamedTuple):
    """A server that answers: its port, and the first of its processes."""

    port: int
    pid: int


@contextmanager
def running(
    *,
    workers: int | None = None,
    application: str = _APPLICATION,
    environ: Mapping[str, str] = MappingProxyType({}),
    folder: Path | None = None,
) -> Iterator[Server]:
    """A web server with the options of `manage.py up`, in `workers` processes, for Butler or for
    another `application`; from the checkout in `folder`, if it is not this one."""
    port = free_port()
    options = up.web_server("127.0.0.1", port)
    command = [sys.executable, *(application if one == _APPLICATION else one for one in options)]
    if workers:
        # If an option is repeated, its last value counts.
        command += ["--workers", str(workers)]
    if folder:
        environ = {**environ, "PYTHONPATH": str(folder)}
    with serving(command, port=port, probe="/healthz", environ=environ, folder=folder) as server:
        yield server


@contextmanager
def serving(
    command: list[str],
    *,
    port: int,
    probe: str,
    environ: Mapping[str, str],
    folder: Path | None = None,
) -> Iterator[Server]:
    """A program that answers on `port`, started in `folder`; it is stopped afterwards. Variables
    that are empty in `environ` are not set for it."""
    variables = {**up.environ(), "PORT": str(port), **environ}
    variables = {name: value for name, value in variables.items() if value}
    # Standard output, with a line for each call, is discarded; errors stay visible.
    process = subprocess.Popen(  # noqa: S603
        command, env=variables, stdout=subprocess.DEVNULL, cwd=folder
    )
    try:
        _wait(f"http://127.0.0.1:{port}{probe}", process)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=2).close()  # noqa: S310 - our own address
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"{address} did not answer within a minute (process {process.pid}).")
