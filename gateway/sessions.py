"""Sessions and upstreams, cached in memory: who calls, and which provider serves the call."""

import logging
from time import monotonic
from typing import TypeVar

from django.conf import settings

from common import database_clock
from common.batches import Threads
from common.database_retry import DATABASE_AWAY
from common.refusal import Refusal
from gateway.refusals import InvalidToken, SlotEmpty
from keys import services as keys
from keys.books.queries import slots
from keys.books.queries.candidates import guest_key
from keys.identity.allow_lists import AllowLists
from keys.identity.queries.credentials import session_id_of
from keys.supply.queries import upstreams
from keys.supply.queries.model_policies import ModelPolicies, model_policies
from keys.supply.queries.upstreams import Session, Upstream

Key = TypeVar("Key")
Value = TypeVar("Value")
logger = logging.getLogger(__name__)

_CACHED_MAX = 10_000
# How late a change of what keys serve, or of the organisation's policies, may be noticed.
_NOTICED_SECONDS = 5


class Sessions:
    """A cache of the rows that each call needs: sessions and upstreams.

    It decides nothing: the hold detects a session that has moved to another key, or a key whose
    row has changed, and the cache is then read again.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        # Session ids by token: a token that was genuine once stays so.
        self._session_ids: dict[str, str] = {}
        self._sessions: dict[str, Session] = {}
        self._upstreams: dict[str, Upstream] = {}
        # By the keys to avoid, model, wire format and what its payers allow: the other key, and
        # until when (monotonic).
        self._guests: dict[
            tuple[frozenset[str], str, str, AllowLists], tuple[str | None, float]
        ] = {}
        # By allocation: the tokens used, as the last settlement in this process found them.
        self._used: dict[int, int] = {}

        self._policies: ModelPolicies | None = None
        self._policies_until = 0.0

    async def of(self, token: str) -> Session:
        """The session of a token. Refusals: InvalidToken, SlotEmpty."""
        session_id = self._session_ids.get(token)
        if session_id is None:
            if slot := slots.slot_of(token):
                return await self._session_in_slot(slot)
            session_id = self._session_id(token)
        return self._sessions.get(session_id) or await self.read(session_id)

    def _session_id(self, token: str) -> str:
        session_id = session_id_of(token)
        if session_id is None:
            raise InvalidToken(_authentication_hint(token))
        _remember(self._session_ids, token, session_id)
        return session_id

    async def _session_in_slot(self, slot: str) -> Session:
        # Never from memory: another allocation may have taken the slot.
        session = await self._threads.run(slots.session_in_slot, slot)
        if session is None:
            raise SlotEmpty(
                f"No allocation is using slot {slot}, so nothing can pay for this call.", slot=slot
            )
        return session

    async def record_slot_refusal(self, slot: str, refusal: Refusal) -> None:
        """Record the refusal for the slot: the program in it does not pass the reason on."""
        try:
            await self._threads.run(
                keys.note_slot_refusal, slug=slot, code=refusal.code, detail=refusal.detail
            )
        except DATABASE_AWAY as error:
            logger.warning("The refusal of a call of %s was not recorded: %s", slot, error)

    async def read(self, session_id: str) -> Session:
        """The session as the database has it now. Refusal: InvalidToken."""
        session = await self._threads.run(upstreams.session_of, session_id)
        if session is None:
            raise InvalidToken("The session does not exist.")
        _remember(self._sessions, session_id, session)
        return session

    def note_used(self, allocation_id: int, tokens: int) -> None:
        """Remember how much of an allocation is used."""
        _remember(self._used, allocation_id, tokens)

    def used_percent(self, session: Session) -> float:
        """How much of the session's tokens is used, as far as this process knows."""
        used = max(session.used, self._used.get(session.allocation_id, 0))
        return 100 * used / session.allocated

    async def guest(
        self,
        session: Session,
        model: str,
        *,
        allowed: AllowLists,
        wire_format: str = "",
        avoid: frozenset[str] = frozenset(),
    ) -> Upstream | None:
        """The best other key that serves `model` for the session, none of `avoid`; None when there
        is none."""
        avoid |= {session.api_key}
        wanted = (avoid, model, wire_format, allowed)
        known = self._guests.get(wanted)
        if known is None or known[1] < monotonic():
            slug = await self._threads.run(
                guest_key,
                model,
                wire_format=wire_format,
                avoid=avoid,
                allowed=allowed,
                now=database_clock.now(),
            )
            known = (slug, monotonic() + _NOTICED_SECONDS)
            _remember(self._guests, wanted, known)
        return await self.upstream(known[0]) if known[0] else None

    async def policies(self) -> ModelPolicies:
        """What the organisation says about models. While one call reads it again, the others go on
        with what was read before."""
        if self._policies is None or self._policies_until <= monotonic():
            self._policies_until = monotonic() + _NOTICED_SECONDS
            self._policies = await self._threads.run(model_policies)
        return self._policies

    def learned_holds(self, session: Session) -> str:
        """Which calls of the session may hold less than their bound: what its cost centres say,
        else the setting of the installation."""
        policies = self._policies
        said = policies.learned_holds_of(session.payers) if policies else ""
        return said or settings.GATEWAY_LEARNED_HOLDS

    def forget_guests(self) -> None:
        """Ask the database again which keys serve what."""
        self._guests.clear()

    async def upstream(self, slug: str, *, not_version: str = "") -> Upstream:
        """The key's upstream; read again if the cached one has the version `not_version`."""
        cached = self._upstreams.get(slug)
        if cached and cached.version != not_version:
            return cached
        upstream = await self._threads.run(upstreams.upstream_of, slug)
        _remember(self._upstreams, slug, upstream)
        return upstream


def _remember(cache: dict[Key, Value], key: Key, value: Value) -> None:
    if len(cache) >= _CACHED_MAX and key not in cache:
        # The oldest entry: dicts keep the order of insertion.
        del cache[next(iter(cache))]
    cache[key] = value


def _authentication_hint(token: str) -> str:
    if not token:
        return "Send a session token, as `Authorization: Bearer …` or `x-api-key: …`."
    if token.startswith("bt_"):
        return (
            "This is an agent token. Request an allocation with it (POST /api/v1/allocations) and "
            "send the session token of the response."
        )
    return "The session token is unknown."
