"""Who speaks, and to whom: sessions and their upstreams, kept in memory while they are true."""

import logging

from django.db import InterfaceError, OperationalError

from common.batches import Threads
from common.refusal import Refusal
from gateway.refusals import NotAuthenticated, SlotEmpty
from keys import services as keys
from keys.books.queries import slots
from keys.identity.queries.credentials import session_id_of
from keys.supply.queries import upstreams
from keys.supply.queries.upstreams import Session, Upstream

logger = logging.getLogger(__name__)

_KEPT_MAX = 10_000


class Sessions:
    """Reads of the books that calls need, asked once.

    Nothing here decides: a hold says if the session is on another key by now, or if the key's row
    has changed, and what is kept is then read again.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        # Sessions by token: what is genuine once stays so.
        self._session_ids: dict[str, str] = {}
        self._sessions: dict[str, Session] = {}
        self._upstreams: dict[str, Upstream] = {}

    async def of(self, token: str) -> Session:
        """The session of a token. Refusals: NotAuthenticated, SlotEmpty."""
        if slot := slots.slot_of(token):
            return await self._in_slot(slot)
        session_id = self._session_ids.get(token) or session_id_of(token)
        if session_id is None:
            raise NotAuthenticated(_why_not(token))
        _keep(self._session_ids, token, session_id)
        return self._sessions.get(session_id) or await self.read(session_id)

    async def _in_slot(self, slot: str) -> Session:
        # Never from memory: somebody else may sit there by now.
        session = await self._threads.run(slots.session_in_slot, slot)
        if session is None:
            raise SlotEmpty(f"Nobody sits in {slot}: no budget pays for its calls now.", slot=slot)
        return session

    async def note(self, slot: str, refusal: Refusal) -> None:
        """Keep what a slot's program will not hand on."""
        about = {"slug": slot, "code": refusal.code, "detail": refusal.detail}
        try:
            await self._threads.run(keys.note_slot_refusal, **about)
        except (OperationalError, InterfaceError) as error:
            logger.warning("What %s was refused with is not kept: %s", slot, error)

    async def read(self, session_id: str) -> Session:
        """The session as it is now."""
        session = await self._threads.run(upstreams.session_of, session_id)
        if session is None:
            raise NotAuthenticated("There is no such session.")
        _keep(self._sessions, session_id, session)
        return session

    async def upstream(self, slug: str, *, not_version: str = "") -> Upstream:
        """The key's upstream; read again if what is kept has the version `not_version`."""
        kept = self._upstreams.get(slug)
        if kept and kept.version != not_version:
            return kept
        upstream = await self._threads.run(upstreams.upstream_of, slug)
        _keep(self._upstreams, slug, upstream)
        return upstream


def _keep(kept: dict, key: str, value: object) -> None:
    if len(kept) >= _KEPT_MAX and key not in kept:
        # The oldest: dicts remember the order.
        del kept[next(iter(kept))]
    kept[key] = value


def _why_not(token: str) -> str:
    if not token:
        return "Send a session token, as `Authorization: Bearer …` or `x-api-key: …`."
    if token.startswith("bt_"):
        return (
            "This is an agent token: lend a budget with it (POST /api/v1/allocations) and send the "
            "session token of the answer."
        )
    return "The session token is unknown."
