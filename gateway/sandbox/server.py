"""Run the sandbox: uvicorn, with connections that can be cut."""

import socket
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.sandbox.app import Sandbox
from gateway.sandbox.connection import TRANSPORT

# Longer than any client keeps an idle connection, so a reused one is not closed under it.
_KEEP_ALIVE_SECONDS = 600


class CuttableProtocol(HttpToolsProtocol):
    """Gives each call the transport below it."""

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: self.transport}


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Nobody waits for calls that hang because they were asked to.
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)


def serve(
    *, host: str, port: int, log_file: Path | None, latency_ms: int, say: Callable[[str], object]
) -> None:
    """Serve until a signal comes; `say` gets the address in one line once calls can come."""
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
    say(f"The sandbox provider is at http://{host}:{listening.getsockname()[1]}\n")
    with suppress(KeyboardInterrupt):
        _Server(config).run(sockets=[listening])


def add_arguments(parser: ArgumentParser) -> None:
    """What can be said on a command line."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0: any that is free")
    parser.add_argument("--log", type=Path, help="file that gets a JSON line for each call")
    parser.add_argument("--latency-ms", type=int, default=0, help="before each answer")


def main() -> None:
    """`python -m gateway.sandbox`, without Django."""
    parser = ArgumentParser(prog="python -m gateway.sandbox", description=__doc__)
    add_arguments(parser)
    asked: Namespace = parser.parse_args()
    serve(
        host=asked.host,
        port=asked.port,
        log_file=asked.log,
        latency_ms=asked.latency_ms,
        say=_say,
    )


def _say(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
