"""Another API key when the provider refuses the session's: whose fault a refusal is decides what
follows for the key, the session and the client."""

import hashlib
from datetime import datetime

from aiohttp import ClientResponse

from common import database_clock
from gateway import services
from gateway.call import Call
from gateway.provider_errors import About, ProviderError, read_error
from gateway.refusals import KeyUnusable
from gateway.runtime import Runtime
from gateway.settlement import settle
from keys import services as keys
from keys.models import Allocation, ApiKey
from keys.refusals import KeyCannotServe, KeyFrozen, RateLimited, RotationRefused
from keys.supply.queries.upstreams import Session
from security.actor import Actor

# How often one request is sent.
_TRIES_MAX = 4
_FINDINGS = {
    About.KEY: keys.KeyFinding.INVALID,
    About.CREDIT: keys.KeyFinding.NO_CREDIT,
    About.MOMENT: keys.KeyFinding.RATE_LIMITED,
    About.UNSURE: keys.KeyFinding.DOUBTFUL,
}
# The provider names the key or its account. Two keys that are told so may both be at fault.
_NAMED = (About.KEY, About.CREDIT)
# People should know when such a refusal was not the key's.
_OFTEN_ABOUT_KEY = (401, 402, 403, 429)
_WAITING = (ApiKey.Status.COOLING, ApiKey.Status.SUSPENDED)


class Failover:
    """The API keys that one request is tried on, and what their provider said.

    One request changes the status of one key at most. The first key that is refused is left alone
    until another key has answered the same request:

    refused likewise ──▶ it was the request: the answer is passed on, the keys stay as they are
    any other answer ──▶ it was the key: it breaks, cools or is suspended
    no other key     ──▶ the same

    An answer with status 200 that turns out to be an error is a refusal too, as long as nothing of
    it has reached the client. What was found to be the request's is remembered for a while.
    """

    def __init__(self, runtime: Runtime, body: bytes) -> None:
        self._runtime, self._body = runtime, body
        self._tried: list[str] = []
        self._tries = 0
        # The refusal that the next answer is compared with, and of whom.
        self._pending: tuple[Call, ProviderError] | None = None
        self._has_blamed = False

    @property
    def refused_keys(self) -> frozenset[str]:
        """The keys that were refused, which the request is not sent to again."""
        return frozenset(self._tried)

    async def try_another(self, call: Call, error: ProviderError) -> bool:
        """Whether the refused call can be made on another key.

        False: the provider's answer is the client's. Refusals, when it was the key and there is no
        other: RateLimited, KeyUnusable.
        """
        if not (error.is_about_key and call.dialect.spends):
            await self.blame_key()
            is_overload = error.about is About.MOMENT
            if call.dialect.spends and error.status in _OFTEN_ABOUT_KEY and not is_overload:
                await self._report_request(call, error)
            return False
        await settle(call)
        if call.charged:
            # What was paid for is not tried again.
            await self._blame_alone(call, error)
            return False
        return await self._compare(call, error)

    async def _compare(self, call: Call, error: ProviderError) -> bool:
        if not self._tried and await self._is_known(call, error):
            await self._report_request(call, error)
            return False
        self._tries += 1
        if call.upstream.slug in self._tried:
            # Other calls of the session moved it back: this says nothing new.
            return await self._move(call)
        self._tried.append(call.upstream.slug)
        is_same = self._pending is not None and self._pending[1].about is error.about
        if not is_same:
            await self.blame_key()
            self._pending = (call, error)
        # A weak no of two keys is the request's; for a named one, a third key is worth a try.
        is_settled = is_same and error.about not in _NAMED
        if not is_settled and await self._move(call):
            return True
        if len(self._tried) == 1:
            raise key_refusal(call, error, await self.blame_key())
        if is_same:
            await self._blame_request(call, error)
        return False

    async def blame_key(self) -> ApiKey | None:
        """Another answer came than the refusal before: it was the key, whose status changes.

        Of several such keys only the first is blamed. Returns it; None when none is.
        """
        pending, self._pending = self._pending, None
        if pending is None or self._has_blamed:
            return None
        self._has_blamed = True
        return await self._runtime.threads.run(_refuse_key, *pending, now=database_clock.now())

    async def blame_for_late_error(
        self, call: Call, said: object, response: ClientResponse
    ) -> None:
        """The provider gave up in the middle of an answer that the client has a part of."""
        error = read_error(said, headers=response.headers, now=database_clock.now())
        if error.is_about_key and call.dialect.spends:
            await self._blame_alone(call, error)

    async def _blame_alone(self, call: Call, error: ProviderError) -> None:
        """Blame the key by this refusal alone, unless the request was sent to other keys too."""
        await self.blame_key()
        if not self._tried:
            self._pending = call, error
            await self.blame_key()

    async def _is_known(self, call: Call, error: ProviderError) -> bool:
        """Whether two keys were refused for the same request before, or for several others of the
        agent, and none of them has turned out to be broken since."""
        request, known = await self._digest(call), self._runtime.remembered_refusals
        agent = call.session.agent
        keys_before = known.keys_refused_for(request, agent, error, key=call.upstream.slug)
        if not keys_before:
            return False
        if not await self._runtime.threads.run(_any_broken, keys_before):
            return True
        known.forget(request, agent)
        return False

    async def _digest(self, call: Call) -> bytes:
        """What tells this request of the agent's from all others."""
        agent = call.session.agent
        digest = hashlib.sha256(f"{agent}\0{call.request.path}\0".encode())
        await self._runtime.large_bodies.run_if_large(
            agent, call.request, digest.update, self._body
        )
        return digest.digest()

    async def _blame_request(self, call: Call, error: ProviderError) -> None:
        pending, self._pending = self._pending, None
        known, agent = self._runtime.remembered_refusals, call.session.agent
        known.add(await self._digest(call), agent, error, list(self._tried))
        await self._report_request(call, error)
        if pending and error.about is About.KEY:
            # Or all of these keys are invalid; the provider knows.
            await self._runtime.threads.run(services.queue_probe, pending[0].upstream.slug)

    async def _report_request(self, call: Call, error: ProviderError) -> None:
        await self._runtime.threads.run(
            services.report_refused_request,
            agent_id=call.session.agent,
            session_id=call.session.session_id,
            key_id=call.upstream.slug,
            answer=_sentence(error),
            now=database_clock.now(),
        )

    async def _move(self, call: Call) -> bool:
        """Whether the call can be made on a key that was not tried."""
        if self._tries >= _TRIES_MAX:
            return False
        if call.choice.is_guest(call.session):
            return await self._has_other_host(call)
        try:
            await self._runtime.threads.run(
                _rotate,
                call.session,
                off=self._tried,
                reason=f"{call.session.api_key} was refused",
                actor=call.request.actor,
                now=database_clock.now(),
            )
        except RotationRefused:
            return False
        await self._runtime.sessions.read(call.session.session_id)
        return True

    async def _has_other_host(self, call: Call) -> bool:
        """Whether a guest, whose session stays where it is, can be the guest of another key."""
        policies = await self._runtime.sessions.policies()
        other = await self._runtime.sessions.guest(
            call.session,
            call.model,
            allowed=policies.allowed(call.session.payers),
            wire_format=call.dialect.wire_format,
            avoid=self.refused_keys,
        )
        return other is not None


async def move_session(
    runtime: Runtime, session: Session, refusal: KeyCannotServe | KeyFrozen, *, actor: Actor
) -> Session:
    """The session on another key, because its own is switched off, broken, cooling, suspended or
    frozen.

    Refusals, if no other can take the session: RateLimited (the key waits), KeyFrozen, KeyUnusable.
    """
    try:
        await runtime.threads.run(
            _rotate,
            session,
            off=[session.api_key],
            reason=refusal.detail,
            actor=actor,
            now=database_clock.now(),
        )
    except RotationRefused as no_other:
        if isinstance(refusal, KeyFrozen):
            raise refusal from None
        why = await runtime.threads.run(_status_reason, session.api_key)
        detail = " ".join(filter(None, [refusal.detail, why, no_other.detail]))
        if refusal.status in _WAITING and refusal.until:
            raise RateLimited(detail, key_id=session.api_key, until=refusal.until) from None
        raise KeyUnusable(detail, key_id=session.api_key) from None
    return await runtime.sessions.read(session.session_id)


def _refuse_key(call: Call, error: ProviderError, *, now: datetime) -> ApiKey:
    slug = call.upstream.slug
    refusal = keys.KeyRefusal(
        finding=_FINDINGS[error.about],
        reason=_sentence(error),
        # After a lack of credit, waiting as long as a rate limit says would not help.
        wait_seconds=error.wait_seconds if error.about is About.MOMENT else None,
        agent_id=call.session.agent,
        session_id=call.session.session_id,
    )
    api_key = keys.key_refused(slug, refusal=refusal, actor=call.request.actor, now=now)
    if error.about is About.UNSURE:
        services.queue_probe(slug)
    return api_key


def key_refusal(
    call: Call, error: ProviderError, api_key: ApiKey | None = None
) -> RateLimited | KeyUnusable:
    """What the client is told when the key was refused and there is no other for the call."""
    slug = call.upstream.slug
    no_other = "No other API key can take what is left of this allocation."
    if call.choice.is_guest(call.session):
        no_other = f"No other API key that serves {call.model} can take the call."
    if error.about is About.MOMENT:
        return RateLimited(
            f"The provider asks to wait before {slug} is used again. {_sentence(error)} {no_other}",
            key_id=slug,
            until=api_key.cooling_until if api_key else None,
        )
    return KeyUnusable(
        f"The API key {slug} cannot be used. {_sentence(error)} {no_other}", key_id=slug
    )


def _sentence(error: ProviderError) -> str:
    """The status and the provider's words, as a sentence."""
    said = f"The provider answered {error.status}"
    if error.message:
        said += f": {error.message}"
    return said if said.endswith((".", "!", "?", "…")) else f"{said}."


def _any_broken(slugs: list[str]) -> bool:
    return ApiKey.objects.filter(pk__in=slugs, status=ApiKey.Status.BROKEN).exists()


def _status_reason(slug: str) -> str:
    return ApiKey.objects.values_list("status_reason", flat=True).get(pk=slug)


def _rotate(session: Session, *, off: list[str], reason: str, actor: Actor, now: datetime) -> None:
    """Rotate the session, unless another call has moved it to a key that is not one of `off`."""
    allocation = Allocation.objects.select_related("api_key").get(pk=session.allocation_id)
    if allocation.api_key_id in off:
        keys.rotate(allocation=allocation, avoid=off, reason=reason, actor=actor, now=now)
