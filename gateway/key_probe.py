"""Ask a provider for its list of models: costs nothing, and shows whether it accepts an API key."""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto

import aiohttp
from django.utils import timezone

from gateway import upstream
from gateway.answer_body import CONNECTION_ERRORS
from gateway.dialects import MESSAGES
from gateway.provider_errors import About, read_answer
from keys.supply.queries.upstreams import Upstream, upstream_of
from security.vault import CannotUnseal

_SECONDS_MAX = 15
_AT_ONCE = 20
_BODY_BYTES_MAX = 64 * 1024


class Verdict(Enum):
    """What a probe shows. `unknown`: the provider has no list of models, so it shows nothing."""

    ACCEPTED = auto()
    REJECTED = auto()
    UNDECIDED = auto()
    UNKNOWN = auto()


_SUMMARIES = {
    Verdict.ACCEPTED: "The provider accepts the key.",
    Verdict.REJECTED: "The provider rejects the key.",
    Verdict.UNDECIDED: "The provider did not say whether it accepts the key.",
    Verdict.UNKNOWN: "The provider has no list of models, so the test shows nothing.",
}


@dataclass(frozen=True, slots=True)
class Probe:
    """The verdict, and the provider's words without secrets."""

    verdict: Verdict
    reason: str = ""

    @property
    def summary(self) -> str:
        """The verdict as a sentence."""
        return _SUMMARIES[self.verdict]


def ask(slugs: list[str]) -> dict[str, Probe]:
    """What the providers say of these keys. Reads the database, then waits for the network."""
    probes: dict[str, Probe] = {}
    upstreams: list[Upstream] = []
    for slug in slugs:
        try:
            upstreams.append(upstream_of(slug))
        except CannotUnseal as error:
            probes[slug] = Probe(Verdict.UNDECIDED, str(error))
    answers = asyncio.run(_ask_all(upstreams))
    return probes | {key.slug: probe for key, probe in zip(upstreams, answers, strict=True)}


async def _ask_all(upstreams: list[Upstream]) -> list[Probe]:
    limit = asyncio.Semaphore(_AT_ONCE)
    async with upstream.connection_pool() as pool:

        async def ask_one(key: Upstream) -> Probe:
            async with limit:
                return await _ask(pool, key)

        return await asyncio.gather(*(ask_one(key) for key in upstreams))


async def _ask(pool: aiohttp.ClientSession, key: Upstream) -> Probe:
    headers = {**upstream.credential_headers(key), "accept": "application/json"}
    if key.wire_formats == ("anthropic",):
        headers |= dict(MESSAGES.default_headers)
    try:
        async with pool.get(
            f"{key.base_url}/models",
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=_SECONDS_MAX),
        ) as response:
            body = await response.content.read(_BODY_BYTES_MAX)
            return _judge(response, upstream.scrub(body, key))
    except (*CONNECTION_ERRORS, aiohttp.InvalidURL) as error:
        return Probe(
            Verdict.UNDECIDED, f"A probe did not reach the provider: {type(error).__name__}"
        )


def _judge(response: aiohttp.ClientResponse, body: bytes) -> Probe:
    if 200 <= response.status < 300:
        return Probe(Verdict.ACCEPTED)
    error = read_answer(
        status=response.status, headers=response.headers, body=body, now=timezone.now()
    )
    reason = f"A probe was answered {error.status}: {error.message}"
    if error.about is About.KEY:
        return Probe(Verdict.REJECTED, reason)
    if error.status in (404, 405, 501):
        return Probe(Verdict.UNKNOWN, reason)
    return Probe(Verdict.UNDECIDED, reason)
