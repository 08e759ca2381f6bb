"""A model as a runner: each attempt is one call through Butler's own gateway, over HTTP."""

import asyncio
import random
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiohttp
import msgspec

from orchestration.failure_kinds import kind_of_code
from orchestration.runners.base import Failed, Result, Work
from orchestration.runners.scrubbed_text import sentence
from orchestration.runners.wire_formats import WIRES, Wire
from orchestration.storable_text import storable

_ANSWER_BYTES_MAX = 10_000_000
_CONNECT_SECONDS = 10
# Shorter than the web server keeps an idle connection.
_IDLE_SECONDS = 3
# Long enough for a restart of the web server.
_UNREACHABLE_SECONDS_MAX = 60
_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0)
# Butler answers so while it stops or without its database; a proxy does while Butler is down.
_AWAY = (502, 503, 504)
_FACTS = {
    "request_id": "x-butler-request-id",
    "charge_id": "x-butler-charge-id",
    "key_id": "x-butler-key-id",
    # Only on answers that were cut to what was left of the budget.
    "output_max": "x-butler-output-max",
}


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class ModelRunner:
    """Carries attempts out as calls, each a coroutine of this process.

    A call's Idempotency-Key is the attempt's session id. So it is made once, even if another
    process repeats it, or this one after a broken connection. A call whose answer did not arrive
    is Failed("lost"), unless the gateway keeps answers and can repeat it.
    """

    def __init__(self) -> None:
        self._http: aiohttp.ClientSession | None = None
        self._calls: dict[str, asyncio.Task[Result]] = {}

    async def spawn(self, work: Work) -> dict[str, Any]:
        """Start the call."""
        self._call(work)
        return {"call": work.session_id}

    async def poll(self, work: Work, handle: dict[str, Any], *, seconds: float) -> bool:
        """Whether the call has ended; a call that another process started is repeated here."""
        done, _ = await asyncio.wait([self._call(work)], timeout=seconds)
        return bool(done)

    async def result(self, work: Work, handle: dict[str, Any]) -> Result:
        """The text of the answer; its finish reason and token usage are in the facts."""
        call = self._call(work)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            if not call.cancelled():
                raise
            raise Failed("cancelled", "The call was cancelled.") from None

    async def cancel(self, work: Work, handle: dict[str, Any] | None) -> None:
        """Close the call's connection.

        The gateway then stops the provider and settles what the call has used.
        """
        await self._stop(work.session_id)

    async def forget(self, work: Work, handle: dict[str, Any] | None) -> None:
        """Drop the call, and end it if it still runs."""
        await self._stop(work.session_id)

    async def close(self) -> None:
        """End all calls and close the connections."""
        for session_id in list(self._calls):
            await self._stop(session_id)
        if self._http is not None:
            await self._http.close()

    def _call(self, work: Work) -> asyncio.Task[Result]:
        if work.session_id not in self._calls:
            self._calls[work.session_id] = asyncio.create_task(self._answer_of_model(work))
        return self._calls[work.session_id]

    async def _stop(self, session_id: str) -> None:
        if call := self._calls.pop(session_id, None):
            call.cancel()
            await asyncio.wait([call])
            if not call.cancelled():
                call.exception()  # Retrieved, or asyncio would log it as unhandled.

    async def _answer_of_model(self, work: Work) -> Result:
        wire = WIRES.get(work.wire_format)
        if wire is None:
            raise Failed("misconfigured", f"The wire format {work.wire_format!r} is not supported.")
        try:
            async with asyncio.timeout(work.seconds):
                answer = await self._answer(work, wire)
        except TimeoutError:
            raise Failed("timeout", f"No answer within {work.seconds:.0f} seconds.") from None
        if answer.status != 200:
            raise _failure(work, answer)
        return _result(wire, answer)

    async def _answer(self, work: Work, wire: Wire) -> _Answer:
        """The gateway's answer; the call is repeated while the gateway is unavailable."""
        away_since, tries = None, 0
        while True:
            try:
                answer = await self._post(work, wire)
                if not _is_away(answer):
                    return answer
                why = f"it answered {answer.status}"
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
                why = str(error) or type(error).__name__
            now = time.monotonic()
            away_since = away_since or now
            if now - away_since > _UNREACHABLE_SECONDS_MAX:
                says = f"Butler's gateway at {work.gateway_url} cannot be reached: {why}"
                raise Failed("unreachable", sentence(says, secret=work.token))
            pause = _PAUSES_SECONDS[min(tries, len(_PAUSES_SECONDS) - 1)]
            # Hundreds of calls that broke at the same time must not be repeated at the same time.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
            tries += 1

    async def _post(self, work: Work, wire: Wire) -> _Answer:
        headers = {
            "Authorization": f"Bearer {work.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": work.session_id,
        }
        body = msgspec.json.encode(wire.request_body(work.prompt, model=work.model))
        request = self._connections().post(
            work.gateway_url + wire.path, data=body, headers=headers, allow_redirects=False
        )
        async with request as answer:
            return _Answer(answer.status, answer.headers, await _read(answer))

    def _connections(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, keepalive_timeout=_IDLE_SECONDS, ttl_dns_cache=60
                ),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "butler"},
            )
        return self._http


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > _ANSWER_BYTES_MAX:
            raise Failed("unusable_answer", f"The answer exceeds {_ANSWER_BYTES_MAX:,} bytes.")
    return bytes(body)


def _is_away(answer: _Answer) -> bool:
    """Whether the call reached neither a provider nor a decision of Butler's."""
    if answer.status not in _AWAY or "x-butler-charge-id" in answer.headers:
        return False
    return not _refusal_of(answer)[0]


def _refusal_of(answer: _Answer) -> tuple[str, str]:
    """The code of Butler's refusal (empty for other errors), and the message for people."""
    try:
        body = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    butler, error = body.get("butler"), body.get("error")
    code = butler.get("code") if isinstance(butler, dict) else ""
    message = error.get("message") if isinstance(error, dict) else error
    return str(code or ""), str(message or "")


def _failure(work: Work, answer: _Answer) -> Failed:
    code, message = _refusal_of(answer)
    kind = kind_of_code(code) or _kind_of_status(answer.status)
    if work.again and kind == "budget_exhausted":
        # The earlier call of another worker used the budget.
        kind = "lost"
    says = f"{code or answer.status}: {message or 'no reason given'}"
    return Failed(kind, sentence(says, secret=work.token), retry_after=_retry_after(answer.headers))


def _kind_of_status(status: int) -> str:
    if status == 429:
        return "rate_limited"
    if status >= 500 or status == 408:
        return "provider_error"
    return "refused"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The header in seconds; None if it is missing or a date, which is not supported."""
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None


def _result(wire: Wire, answer: _Answer) -> Result:
    try:
        answered = wire.read_answer(msgspec.json.decode(answer.body))
    except ValueError:  # DecodeError is one
        raise Failed("unusable_answer", "The answer is not of its wire format.") from None
    if not answered.text.strip():
        raise Failed("unusable_answer", f"The answer is empty ({answered.finish_reason}).")
    facts: dict[str, Any] = {
        name: answer.headers[header] for name, header in _FACTS.items() if header in answer.headers
    }
    facts |= {"finish_reason": answered.finish_reason, "usage": answered.usage}
    return Result(storable(answered.text), facts)
