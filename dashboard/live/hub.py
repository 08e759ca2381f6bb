"""All streams of one process: looks once a second whether something has changed, renders once for
each page and audience, and sends the same bytes to all who look at it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from django.http.response import HttpResponseBase
from django.utils import timezone

from common.async_connection import LOST, AsyncConnection, connect
from common.batches import Threads
from common.database_retry import DATABASE_AWAY
from common.live_notices import CHANNEL, ROWS, person_topic
from dashboard.live import messages
from dashboard.live.admission import Admission, Ask, Scope, Subscription
from dashboard.live.messages import message
from dashboard.live.stream import Stream
from keys.books.queries.usage_marks import usage_mark, usage_mark_within

logger = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
# A look that takes longer is tried again with another connection.
_LOOK_SECONDS_MAX = 5.0
# Rendering may take this part of the time of the process; with more audiences, looks are rarer.
_RENDERING_SHARE = 0.1
# But the streams must hear often enough that they live.
_PAUSE_SECONDS_MAX = 10.0
# So many streams get a message at once; then the calls of agents, which the same loop serves, have
# their turn.
_STREAMS_AT_ONCE = 2
_TURN_SECONDS = 0.001
# Pages are rendered again after this time, because they show how long ago something was; and each
# stream is told that it lives.
_BEAT_SECONDS = 15.0
# How often it is looked whether a person may still see what is sent.
_CHECK_SECONDS = 60.0
# One renders, one lets people in.
_THREADS = 2
_FAILED = 500


@dataclass(eq=False)
class _Group:
    """The streams that get the same: `content` is what they know, `state` the message with it."""

    subscription: Subscription
    streams: set[Stream] = field(default_factory=set)
    content: str | None = None
    state: bytes = b""
    # Whether `content` was rendered at the last attempt.
    is_current: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def render(self) -> tuple[str, bytes]:
        """The content as of now, and the message with it; for a thread."""
        page, audience, own_view = self.subscription
        now = timezone.now()
        if own_view:
            content = str(usage_mark_within(audience.bound_centres) or "")
            return content, message(messages.CHANGED, at=now)
        content = page.render(audience, now)
        return content, message("", data=content, at=now)

    async def take(self, content: str, news: bytes) -> None:
        """Send the message, if it says anything new."""
        known, self.content, self.is_current = self.content, content, True
        if self.subscription.own_view:
            is_new = known is not None and content not in ("", known)
        elif is_new := content != known:
            self.state = news
        if is_new:
            await self._post(news)

    async def _post(self, news: bytes) -> None:
        """Send a message to all streams that are there now; later ones get the state."""
        for number, stream in enumerate(list(self.streams), start=1):
            stream.post(news)
            if number % _STREAMS_AT_ONCE == 0:
                await asyncio.sleep(_TURN_SECONDS)


class Hub:
    """Open for the life of an event loop. While nobody looks, it does nothing."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._groups: dict[Subscription, _Group] = {}
        self._threads = Threads(_THREADS)
        self._watching: asyncio.Task[None] | None = None
        self._detached: set[asyncio.Task[None]] = set()

    async def admit(self, scope: Scope) -> HttpResponseBase:
        """What Django answers to the request for a stream: an `Admission`, or a refusal."""
        return await self._threads.run(self._ask, scope)

    def streams(self) -> list[Stream]:
        """All open streams."""
        return [stream for group in self._groups.values() for stream in group.streams]

    def streams_of(self, person_id: int) -> int:
        """How many streams a person has open."""
        return sum(stream.person_id == person_id for stream in self.streams())

    @asynccontextmanager
    async def joined(self, scope: Scope, admission: Admission) -> AsyncIterator[Stream]:
        """A stream that gets the state of its page now and each time it changes."""
        key, loop = admission.subscription, asyncio.get_running_loop()
        # Of streams that come together, each is checked at another second.
        checked_at = loop.time() - len(self.streams()) % _CHECK_SECONDS
        stream = Stream(scope, admission, checked_at=checked_at)
        group = self._groups.setdefault(key, _Group(key))
        group.streams.add(stream)
        try:
            if self._watching is None or self._watching.done():
                self._watching = asyncio.create_task(self._watch())
            if group.content is None:
                self._detach(self._render(group))
            elif group.state:
                stream.post(group.state)
            yield stream
        finally:
            group.streams.remove(stream)
            if not group.streams:
                del self._groups[key]

    async def close(self) -> None:
        """Stop looking. The streams have ended before."""
        if self._watching:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        await asyncio.to_thread(self._threads.close)

    def _detach(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)

    async def _watch(self) -> None:
        while self._groups:
            try:
                async with await connect() as connection:
                    await self._follow(connection)
            except LOST as error:
                logger.warning("Live pages are looked after again in a second: %s", error)
                await asyncio.sleep(_TICK_SECONDS)

    async def _follow(self, connection: AsyncConnection) -> None:
        """Look as long as there is somebody to look for."""
        loop = asyncio.get_running_loop()
        await connection.execute(f"LISTEN {CHANNEL}")
        mark, heard, beat_at, took = None, set[str](), 0.0, 0.0
        while self._groups:
            before, heard = heard, await _hear(connection, took=took)
            started_at = loop.time()
            async with asyncio.timeout(_LOOK_SECONDS_MAX):
                last, mark = mark, await usage_mark(connection)
            is_beat = started_at >= beat_at
            # A sender may be silent for a second after a notice, so each is followed twice.
            topics = before | heard
            if is_beat or mark != last or ROWS in topics:
                await self._render_all()
            if is_beat:
                beat_at = started_at + _BEAT_SECONDS
                self._beat()
            await self._check(topics)
            took = loop.time() - started_at

    async def _render_all(self) -> None:
        for group in list(self._groups.values()):
            await self._render(group)

    async def _render(self, group: _Group) -> None:
        async with group.turn:
            try:
                content, news = await self._threads.run(group.render)
            except DATABASE_AWAY as error:
                group.is_current = False
                logger.warning("A live page could not be rendered: %s", error)
            except Exception:
                # Its streams hear nothing more, so the page says that it is not live.
                group.is_current = False
                logger.exception("%s could not be rendered.", group.subscription.page.kind)
            else:
                await group.take(content, news)

    def _beat(self) -> None:
        alive = message(messages.ALIVE, at=timezone.now())
        for group in self._groups.values():
            if group.is_current:
                for stream in group.streams:
                    stream.beat(alive)

    async def _check(self, topics: set[str]) -> None:
        """End the streams of people who may not see their page any more, or see another part."""
        due = asyncio.get_running_loop().time() - _CHECK_SECONDS
        for stream in self.streams():
            if stream.checked_at <= due or person_topic(stream.person_id) in topics:
                stream.checked_at = asyncio.get_running_loop().time()
                answer = await self.admit(stream.scope)
                # What failed says nothing about the person.
                if answer.status_code < _FAILED and not _admits(answer, stream):
                    stream.end(message(messages.BYE, at=timezone.now()))


def _admits(answer: HttpResponseBase, stream: Stream) -> bool:
    return isinstance(answer, Admission) and answer.subscription == stream.subscription


async def _hear(connection: AsyncConnection, *, took: float) -> set[str]:
    """The topics that come within the next tick, or a longer time after a look that took long."""
    pause = min(took / _RENDERING_SHARE - took, _PAUSE_SECONDS_MAX)
    seconds = max(_TICK_SECONDS, pause)
    return {each.payload async for each in connection.notifies(timeout=seconds)}
