"""uvicorn's HTTP protocol with the limits that it lacks: how large a head may be, how long it may
take, and how slowly a client may read its answer."""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from butler_site.joined_writes import JoinedWrites

_HEAD_BYTES_MAX = 256_000
_HEAD_SECONDS = 20
# Of what waits for a client, it must take so many bytes in each period.
_READ_SECONDS = 60
_READ_BYTES_MIN = 20_000
_HEAD_TOO_LARGE = STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n"
# Anybody can send what is no HTTP, and could fill the log with it.
_UNLOGGED = ("Invalid HTTP request received.", "Unsupported upgrade request.")
logging.getLogger("uvicorn.error").addFilter(lambda record: record.getMessage() not in _UNLOGGED)


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection. A head that is too large is answered with 431; a client whose head does not
    end in time, or who does not read its answer, is disconnected."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._awaits_head = True
        # The request that is being answered; `cycle` is the one that came last.
        self._answered: RequestResponseCycle | None = None
        # A head or a body ended in the piece that is being parsed.
        self._ended = False
        # Of a head that came in several pieces.
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(JoinedWrites(transport))  # type: ignore[arg-type]
        self._head_timer = self.loop.call_later(_HEAD_SECONDS, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        super().connection_lost(exc)
        self._disconnect()
        self._stop_head_timer()
        self._stop_read_timer()

    def data_received(self, data: bytes) -> None:
        """Parse what came, and count it if it belongs to a head that has not ended."""
        self._ended = False
        super().data_received(data)
        if self._ended:
            self._stop_head_timer()
            self._head_bytes = 0
        elif self._awaits_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES_MAX:
                self.transport.write(_HEAD_TOO_LARGE)
                self.transport.close()
            elif self._head_timer is None and not self._is_answering():
                self._head_timer = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def on_headers_complete(self) -> None:
        """The head has ended; the body follows."""
        self._ended, self._awaits_head = True, False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body has ended; the next head may follow."""
        self._ended, self._awaits_head = True, True
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server stops: what would not end by itself ends now."""
        super().shutdown()
        scope: dict[str, Any] = self._answered.scope if self._answered else {}  # type: ignore[assignment]
        if end := scope.get("end_response"):
            end()

    def pause_writing(self) -> None:
        """The client reads more slowly than the answer comes: look whether it reads at all."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        self._stop_read_timer()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _disconnect(self) -> None:
        """From here on, what the application still sends is dropped. uvicorn says so only to the
        request that came last: one before it would wait for the client for ever."""
        if self._answered and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch_reader(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._read_timer = self.loop.call_later(_READ_SECONDS, self._check_reader, waiting)

    def _check_reader(self, waited: int) -> None:
        if self.transport.get_write_buffer_size() > waited - _READ_BYTES_MIN:
            self._disconnect()
            self.transport.abort()
        else:
            self._watch_reader()

    def _stop_head_timer(self) -> None:
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_read_timer(self) -> None:
        if self._read_timer:
            self._read_timer.cancel()
            self._read_timer = None
