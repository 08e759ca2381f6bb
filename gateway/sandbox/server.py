"""Run the sandbox: uvicorn, with connections that can be cut."""

import socket
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.sandbox.app import Sandbox
from gateway.sandbox.connection import TRANSPORT

# Longer than any client keeps an idle connection, so a reused one is not closed under it.
_KEEP_ALIVE_SECONDS = 600


class CuttableProtocol(HttpToolsProtocol):
    """Gives each call its transport, so that the call can close it."""

    def on_message_begin(self) -> None:
        """Put the transport into the scope of the request."""
        super().on_message_begin()
        extensions: dict[str, Any] = {TRANSPORT: self.transport}
        self.scope["extensions"] = extensions


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Calls that hang on request would never end by themselves.
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)


def serve(
    *, host: str, port: int, log_file: Path | None, latency_ms: int, write: Callable[[str], object]
) -> None:
    """Serve until a signal arrives; `write` gets one line with the address once it is listening."""
    listening = socket.create_server((host, port), backlog=2048)
    app = Sandbox(log_file=log_file, latency_ms=latency_ms)
    config = uvicorn.Config(
        app,
        http=CuttableProtocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    write(f"The sandbox provider is at http://{host}:{listening.getsockname()[1]}\n")
    with suppress(KeyboardInterrupt):
        _Server(config).run(sockets=[listening])


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of the command line."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 takes any free port.")
    parser.add_argument("--log", type=Path, help="File that gets a JSON line for each call.")
    parser.add_argument("--latency-ms", type=int, default=0, help="Delay before each answer.")


def main() -> None:
    """`python -m gateway.sandbox`, without Django."""
    parser = ArgumentParser(prog="python -m gateway.sandbox", description=__doc__)
    add_arguments(parser)
    options: Namespace = parser.parse_args()
    serve(
        host=options.host,
        port=options.port,
        log_file=options.log,
        latency_ms=options.latency_ms,
        write=_write,
    )


def _write(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
