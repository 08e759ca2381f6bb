"""Ask a provider for its list of models: costs nothing, and shows whether it accepts an API key."""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto

import aiohttp
from django.conf import settings

from common import database_clock
from gateway import upstream
from gateway.answer_body import CONNECTION_ERRORS
from gateway.dialects import MESSAGES
from gateway.key_probe_words import (
    LISTED_TO_EVERYBODY,
    SANDBOX,
    Answer,
    check,
    join,
    model_note,
    words_of,
)
from gateway.provider_errors import About, read_answer
from keys.supply.known_providers import without_account
from keys.supply.queries.upstreams import Upstream, root_of, upstream_of
from security.vault import CannotUnseal

_SECONDS_MAX = 15
_AT_ONCE = 20
# Some providers list hundreds of models, each with its description.
_BODY_BYTES_MAX = 4 * 2**20
# Where the list of models needs no key: another route that does, and costs nothing either.
_ROUTES = {"openrouter": "/key"}


class Verdict(Enum):
    """What a probe shows. `unknown`: the provider lists no models, or lists them to everybody."""

    ACCEPTED = auto()
    REJECTED = auto()
    UNDECIDED = auto()
    UNKNOWN = auto()


_SUMMARIES = {
    Verdict.ACCEPTED: "The provider accepts the key.",
    Verdict.REJECTED: "The provider rejects the key.",
    Verdict.UNDECIDED: "The provider did not say whether it accepts the key.",
    Verdict.UNKNOWN: "The test does not show whether the provider accepts the key.",
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

    @property
    def text(self) -> str:
        """The verdict, and why."""
        return join(self.summary, self.reason)


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
    headers = upstream.credential_headers(key)
    try:
        answer = await _get(pool, key, headers)
        if 200 <= answer.status < 300:
            if _is_sandbox(key):
                return Probe(Verdict.ACCEPTED, SANDBOX)
            without_key = await _get(pool, key, {})
            if 200 <= without_key.status < 300:
                return Probe(Verdict.UNKNOWN, join(LISTED_TO_EVERYBODY, model_note(answer, key)))
    except (*CONNECTION_ERRORS, aiohttp.InvalidURL) as error:
        return Probe(
            Verdict.UNDECIDED,
            f"A probe did not reach the provider: {words_of(error, key.base_url)}",
        )
    return _judge(answer, key)


async def _get(pool: aiohttp.ClientSession, key: Upstream, credential: dict[str, str]) -> Answer:
    headers = {**credential, "accept": "application/json"}
    if key.wire_formats == ("anthropic",):
        headers |= dict(MESSAGES.default_headers)
    async with pool.get(
        f"{key.base_url}{_route(key)}",
        headers=headers,
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=_SECONDS_MAX),
    ) as response:
        body = await response.content.read(_BODY_BYTES_MAX)
        return Answer(response.status, response.headers, upstream.scrub(body, key))


def _route(key: Upstream) -> str:
    if _is_sandbox(key):
        return "/models"
    return _ROUTES.get(without_account(key.provider), "/models")


def _is_sandbox(key: Upstream) -> bool:
    return bool(settings.SANDBOX_URL) and key.base_url == root_of(settings.SANDBOX_URL)


def _judge(answer: Answer, key: Upstream) -> Probe:
    error = read_answer(
        status=answer.status, headers=answer.headers, body=answer.body, now=database_clock.now()
    )
    if 200 <= answer.status < 300:
        if answer.is_json:
            return Probe(Verdict.ACCEPTED, model_note(answer, key))
        return Probe(Verdict.UNDECIDED, f"A probe was answered with no JSON. {check(key.base_url)}")
    reason = f"A probe was answered {error.status}: {error.message}".rstrip(": ")
    if error.about is About.KEY:
        return Probe(Verdict.REJECTED, reason)
    if error.about is About.CREDIT:
        return Probe(Verdict.UNDECIDED, join(reason, "The account has no credit."))
    if 300 <= error.status < 400:
        return Probe(Verdict.UNDECIDED, join(reason, check(key.base_url)))
    if error.status in (404, 405, 501):
        return Probe(Verdict.UNKNOWN, join(reason, check(key.base_url)))
    return Probe(Verdict.UNDECIDED, reason)
