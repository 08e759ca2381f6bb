"""The attacker, in a process of its own: one kind of attack after the other.

`python -m bench.hostile.attacks` reads one `Attack` as JSON after the other, a line each. It
attacks for the given seconds, then writes one line with how often each kind of answer came.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
import uvloop

_ANSWER_SECONDS = 20
# Any text of this length is a token of a form, if the cookie has the same.
_CSRF = "a" * 32
_CHAT, _LOGIN = "/v1/chat/completions", "/admin/login/"
_CHANNELS = "/admin/alerts/channel/"
_LARGE_FILE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
_PRIVATE = ("127.0.0.1:5432", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "2130706433")


class Attack(msgspec.Struct):
    """What to do, for how many seconds, and the attacker's own tokens: of an agent, of its session,
    the cookie of staff that has signed in, and the channel that they have."""

    kind: str
    port: int
    seconds: float
    agent_token: str
    session_token: str
    session_id: str
    staff_session: str
    channel_id: str


class Kind(NamedTuple):
    """One kind of attack. `act` does it once, the `number`th time, and returns what came of it.

    `at_once` clients do it, together at most `per_second` times: an attacker that took all of the
    CPU that it shares with Butler here would be measured instead of Butler.
    """

    act: Callable[[Attack, int], Awaitable[str]]
    at_once: int
    per_second: float


class _Way:
    """One connection to Butler."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def status(self) -> str:
        """The status of the answer, or `closed`."""
        line = await self.reader.readline()
        return line[9:12].decode("latin-1") or "closed"

    async def drip(self, piece: bytes) -> str:
        """Write a piece each second, until Butler answers or closes."""
        answer = asyncio.ensure_future(self.status())
        while not answer.done():
            self.writer.write(piece)
            await asyncio.wait([answer], timeout=1)
        return answer.result()


@asynccontextmanager
async def _connected(attack: Attack) -> AsyncIterator[_Way]:
    """A connection that is cut off afterwards."""
    reader, writer = await asyncio.open_connection("127.0.0.1", attack.port, limit=2**20)
    try:
        yield _Way(reader, writer)
    finally:
        writer.transport.abort()


def _head(method: str, path: str, length: int | None, **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


async def _ask(attack: Attack, path: str, body: bytes, **headers: str) -> str:
    """The status of an answer that is read to its end."""
    async with _connected(attack) as way:
        way.writer.write(_head("POST", path, len(body), **headers) + body)
        await way.writer.drain()
        status = await way.status()
        while await way.reader.read(2**16):
            pass
        return status


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content_Type": "application/json"}


def _call(text: str, **fields: object) -> bytes:
    messages = [{"role": "user", "content": text}]
    return json.dumps({"model": "any", "max_tokens": 40, "messages": messages, **fields}).encode()


def _tools(count: int) -> bytes:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    return _call("hello", tools=[tool] * count)


# U+FDFA becomes 18 characters when it is normalised.
_LARGE_BODIES = (
    b'{"model":"any","max_tokens":5,"messages":[{"role":"user","content":"%b"}]}'
    % ("\ufdfa" * 9_000_000).encode(),
    b'{"model":"any","max_tokens":5,"messages":[{"role":"user","content":"%b"}]}'
    % ("\ufdfa" * 800_000).encode(),
)
_LARGE_TOOLS = (_tools(330_000), _tools(22_000))


async def _large_body(attack: Attack, number: int) -> str:
    return await _ask(attack, _CHAT, _LARGE_BODIES[number % 2], **_bearer(attack.session_token))


async def _large_tools(attack: Attack, number: int) -> str:
    return await _ask(attack, _CHAT, _LARGE_TOOLS[number % 2], **_bearer(attack.session_token))


async def _slow_body(attack: Attack, number: int) -> str:
    async with _connected(attack) as way:
        paths = (_CHAT, _LOGIN, "/api/v1/estimates")
        way.writer.write(_head("POST", paths[number % 3], 1000, **_bearer(attack.session_token)))
        return await way.drip(b"x")


async def _slow_head(attack: Attack, number: int) -> str:
    async with _connected(attack) as way:
        way.writer.write(f"POST {_CHAT} HTTP/1.1\r\nHost: localhost\r\n".encode())
        return await way.drip(b"X-More: y\r\n")


async def _slow_reader(attack: Attack, number: int) -> str:
    async with _connected(attack) as way:
        if number % 2:
            body = _call("[[sandbox output=5000]]", stream=True, max_tokens=5000)
            way.writer.write(
                _head("POST", _CHAT, len(body), **_bearer(attack.session_token)) + body
            )
        else:
            # One request behind the other, of answers that nobody reads.
            way.writer.write(_head("GET", _LARGE_FILE, None).replace(b"close", b"keep-alive") * 20)
        status = await way.status()
        await asyncio.sleep(attack.seconds)
        return status


async def _hang_up(attack: Attack, number: int) -> str:
    async with _connected(attack) as way:
        body = _call("[[sandbox output=2000 slow_ms=10]]", stream=True, max_tokens=2000)
        way.writer.write(_head("POST", _CHAT, len(body), **_bearer(attack.session_token)) + body)
        status = await way.status()
        await way.reader.read(2**16)
        return status


async def _usage_report(attack: Attack, number: int) -> str:
    path = f"/api/v1/allocations/{attack.session_id}/usage"
    body = json.dumps({"total_tokens": 10**12 if number % 2 else 1}).encode()
    return await _ask(attack, path, body, **_bearer(attack.session_token))


async def _poisoned_prompt(attack: Attack, number: int) -> str:
    # Each is another request, so that nothing is remembered of it.
    status = (403, 401, 429, 402)[number % 4]
    body = _call(f"[[sandbox status={status}]] {number}")
    return await _ask(attack, _CHAT, body, **_bearer(attack.session_token))


async def _channel_probe(attack: Attack, number: int) -> str:
    cookies = f"butler_session_{attack.port}={attack.staff_session}; "
    cookies += f"butler_csrf_{attack.port}={_CSRF}"
    form = {"csrfmiddlewaretoken": _CSRF, "_form_submitted": "on", "severity_min": "info"}
    address = _PRIVATE[number % len(_PRIVATE)]
    form |= {"name": f"probe-{number}", "url": f"json://{address}/x?+X-Api-Key=1"}
    path = _CHANNELS + ("add/" if number % 4 else f"{attack.channel_id}/send_test/")
    return await _post_form(attack, path, form, cookies)


async def _sign_in_guess(attack: Attack, number: int) -> str:
    form = {"csrfmiddlewaretoken": _CSRF, "login": f"staff-{number % 40}", "password": "guess"}
    return await _post_form(attack, _LOGIN, form, f"butler_csrf_{attack.port}={_CSRF}")


async def _post_form(attack: Attack, path: str, form: dict[str, str], cookies: str) -> str:
    kind = "application/x-www-form-urlencoded"
    body = urlencode(form).encode()
    return await _ask(attack, path, body, Cookie=cookies, Content_Type=kind)


async def _connection(attack: Attack, number: int) -> str:
    async with _connected(attack) as way:
        way.writer.write(_head("GET", "/v1/models", None).replace(b"close", b"keep-alive"))
        status = await way.status()
        await asyncio.sleep(1)
        return status


_MALFORMED = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /v1/models HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /v1/models HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /admin/keys/apikey/%00/change/ HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n",
    b"\r\n" * 1000,
)


async def _malformed(attack: Attack, number: int) -> str:
    async with _connected(attack) as way:
        way.writer.write(_MALFORMED[number % len(_MALFORMED)])
        way.writer.write_eof()
        return await way.status()


async def _huge_task(attack: Attack, number: int) -> str:
    parts = [{"description": f"part {part}"} for part in range(500)]
    task = {"name": "huge", "sub_tasks": parts, "total_budget": 500_000, "max_concurrent": 10_000}
    return await _ask(
        attack, "/api/v1/tasks", json.dumps(task).encode(), **_bearer(attack.agent_token)
    )


KINDS = {
    "large-bodies": Kind(_large_body, 4, 4),
    "large-tools": Kind(_large_tools, 4, 4),
    "slow-bodies": Kind(_slow_body, 200, 200),
    "slow-heads": Kind(_slow_head, 200, 200),
    "slow-readers": Kind(_slow_reader, 40, 40),
    "hang-ups": Kind(_hang_up, 20, 20),
    "usage-reports": Kind(_usage_report, 4, 20),
    "poisoned-prompts": Kind(_poisoned_prompt, 8, 20),
    "channel-probes": Kind(_channel_probe, 4, 10),
    "sign-in-guesses": Kind(_sign_in_guess, 8, 10),
    "connection-floods": Kind(_connection, 400, 200),
    "malformed": Kind(_malformed, 20, 100),
    # The last one, because its tasks go on when it is over.
    "huge-tasks": Kind(_huge_task, 2, 2),
}


async def _attack(attack: Attack) -> Counter[str]:
    kind, results = KINDS[attack.kind], Counter[str]()
    until = time.monotonic() + attack.seconds

    async def client(number: int) -> None:
        await asyncio.sleep(number / kind.per_second)
        while (begin := time.monotonic()) < until:
            try:
                async with asyncio.timeout(max(_ANSWER_SECONDS, attack.seconds)):
                    results[await kind.act(attack, number)] += 1
            except TimeoutError:
                results["silent"] += 1
            except OSError:
                results["closed"] += 1
            number += kind.at_once
            await asyncio.sleep(begin + kind.at_once / kind.per_second - time.monotonic())

    clients = [asyncio.create_task(client(number)) for number in range(kind.at_once)]
    _, pending = await asyncio.wait(clients, timeout=attack.seconds)
    results["open at the end"] += len(pending)
    for task in pending:
        task.cancel()
    await asyncio.wait(clients)
    return +results


def main() -> None:
    """Attack until standard input ends."""
    for line in sys.stdin:
        results = uvloop.run(_attack(msgspec.json.decode(line, type=Attack)))
        print(json.dumps(results), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
