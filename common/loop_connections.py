"""Connections to the database that an event loop uses itself, without a thread between.

They speak to libpq through `psycopg.pq`: statements that run together leave in one packet. A cursor
would send each by itself, and wake PostgreSQL each time, which takes longer than most statements.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from django.db import connection
from psycopg import AsyncConnection, Error, abc
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from common.database_retry import CONNECTION_CLOSED
from common.statements import ResultT, Statement, Step, Work

# Set those of these settings for a connection that its PostgreSQL knows: lists of names and values.
SET = """
    SELECT set_config(name, value, false)
      FROM unnest(%s::text[], %s::text[]) AS settings(name, value) JOIN pg_settings USING (name)
"""
_Key = tuple[bytes, tuple[int, ...]]


class LoopConnections:
    """A few connections of one event loop, each for one piece of work at a time.

    They are opened when they are needed, with `settings` (names and values of PostgreSQL's), and
    opened again when the database has closed them.
    """

    def __init__(self, most: int, *, settings: dict[str, str]) -> None:
        self._free = asyncio.LifoQueue[_Connection]()
        self._all = [_Connection(settings) for _ in range(most)]
        for each in self._all:
            self._free.put_nowait(each)

    async def run(self, work: Work[ResultT]) -> ResultT:
        """The result of `work`. It gets, or `run` raises, Django's errors of databases.

        Statements may run twice: if the database has closed the connection, they are sent again on
        a new one. So what they write needs an idempotency key.
        """
        one = await self._free.get()
        try:
            steps = next(work)
            while True:
                try:
                    answer = await one.fetch_together(steps)
                except Exception as error:  # noqa: BLE001 - the work decides
                    steps = work.throw(error)
                else:
                    steps = work.send(answer)
        except StopIteration as end:
            result: ResultT = end.value
            return result
        finally:
            self._free.put_nowait(one)

    async def close(self) -> None:
        """Close the connections. Do not call `run` afterwards."""
        for each in self._all:
            await each.close()


class _Connection:
    """One connection, in pipeline mode for all its life."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings
        self._raw: AsyncConnection[Any] | None = None
        # By text and types of the parameters: the names of statements that are prepared.
        self._prepared: dict[_Key, bytes] = {}
        self._names = count()

    async def fetch_together(self, steps: Sequence[Step]) -> list[list[Any]]:
        """As `common.statements.fetch_together`."""
        if self._raw is not None:
            try:
                return await self._ask(self._raw, steps)
            except CONNECTION_CLOSED:
                if not self._raw.closed:
                    raise
        self._raw = await self._open()
        return await self._ask(self._raw, steps)

    async def close(self) -> None:
        if self._raw is not None:
            await self._raw.close()

    async def _open(self) -> AsyncConnection[Any]:
        self._prepared.clear()
        parameters = connection.get_connection_params()
        # Django's own, for its synchronous connections.
        parameters.pop("cursor_factory", None)
        with _django_errors():
            raw: AsyncConnection[Any] = await AsyncConnection.connect(**parameters, autocommit=True)
            await raw.execute(SET, [list(self._settings), list(self._settings.values())])
            raw.pgconn.enter_pipeline_mode()
        return raw

    async def _ask(self, raw: AsyncConnection[Any], steps: Sequence[Step]) -> list[list[Any]]:
        pgconn: PGconn = raw.pgconn
        adapter: abc.Transformer = Transformer(raw)
        with _django_errors():
            try:
                prepared = self._send(pgconn, adapter, steps)
                results = await _results(pgconn)
            except BaseException:
                # Also when it is cancelled: what is under way would be taken for the next answer.
                await raw.close()
                raise
            return self._read(adapter, results, steps, prepared)

    def _send(
        self, pgconn: PGconn, adapter: abc.Transformer, steps: Sequence[Step]
    ) -> list[tuple[_Key, bytes] | None]:
        """Send the statements; for each of them its name, if it is prepared now."""
        prepared: list[tuple[_Key, bytes] | None] = []
        for statement, parameters in steps:
            values = [parameters[name] for name in statement.parameters]
            dumped = adapter.dump_sequence(values, [PyFormat.AUTO] * len(values))
            key = statement.query, tuple(adapter.types or ())
            if (name := self._prepared.get(key)) is None:
                name = b"work_%d" % next(self._names)
                pgconn.send_prepare(name, statement.query, adapter.types)
                prepared.append((key, name))
            else:
                prepared.append(None)
            pgconn.send_query_prepared(name, dumped, adapter.formats)
        pgconn.pipeline_sync()
        return prepared

    def _read(
        self,
        adapter: abc.Transformer,
        results: deque[PGresult],
        steps: Sequence[Step],
        prepared: list[tuple[_Key, bytes] | None],
    ) -> list[list[Any]]:
        rows = []
        for (statement, _), preparation in zip(steps, prepared, strict=True):
            if preparation:
                _check(results.popleft())
                self._prepared[preparation[0]] = preparation[1]
            result = results.popleft()
            _check(result)
            rows.append(_rows(adapter, result, statement))
        return rows


async def _results(pgconn: PGconn) -> deque[PGresult]:
    """The results of everything that was sent."""
    while pgconn.flush():
        await _ready(pgconn.socket, to_write=True)
    results: deque[PGresult] = deque()
    while True:
        await _ready(pgconn.socket)
        pgconn.consume_input()
        is_between = False
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                if is_between:
                    # Nothing more can come: the next look at the socket says why.
                    break
            elif result.status == ExecStatus.PIPELINE_SYNC:
                return results
            else:
                results.append(result)
            is_between = result is None


async def _ready(socket: int, *, to_write: bool = False) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    add, remove = (
        (loop.add_writer, loop.remove_writer) if to_write else (loop.add_reader, loop.remove_reader)
    )
    add(socket, _wake, ready)
    try:
        await ready
    finally:
        remove(socket)


def _wake(ready: asyncio.Future[None]) -> None:
    # Called again while the socket is ready.
    if not ready.done():
        ready.set_result(None)


def _check(result: PGresult) -> None:
    if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        raise error_from_result(result)


def _rows(adapter: abc.Transformer, result: PGresult, statement: Statement[Any]) -> list[Any]:
    if not statement.row._fields:
        return []
    adapter.set_pgresult(result)
    rows: list[Any] = adapter.load_rows(0, result.ntuples, statement.row._make)
    return rows


@contextmanager
def _django_errors() -> Iterator[None]:
    try:
        yield
    except Error:
        # Only now, since it looks for the connection of this thread.
        with connection.wrap_database_errors:
            raise
