"""Call a vendor over HTTP: with a deadline, to its own addresses only, and without redirects."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import requests

from common.addresses import Network
from treasury.vendor_calls import AnswerTooLarge, exchange

JSON = dict[str, Any]
_SECONDS = (5.0, 20.0)  # to connect, and of silence
_BYTES_MAX = 4_000_000
_OK = 200
# Of 400 to 499, they say nothing about what was asked: it may be done, or still happen.
_NOT_DEFINITE = (408, 409, 425, 429)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request in full. Its headers have secrets, so it is not printed."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Sequence[tuple[str, str]] = ()
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a vendor answered. `status` is None if there was no whole answer in JSON; `problem`
    says why. `content`: the bytes of the body, as they came."""

    status: int | None
    body: JSON = field(default_factory=dict)
    problem: str = ""
    content: bytes = field(default=b"", repr=False)

    @property
    def is_ok(self) -> bool:
        """Whether the vendor did what was asked."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_definite_refusal(self) -> bool:
        """Whether the vendor has understood, says no, and nothing of it will happen."""
        return (
            self.status is not None
            and 400 <= self.status < 500
            and self.status not in _NOT_DEFINITE
        )

    @property
    def code(self) -> str:
        """The status as text, or why there is none."""
        return str(self.status or self.problem or "no_answer")


class HttpClient:
    """Calls one vendor. `url` has no path. `networks`: those that are not public and may be called,
    which only a stand-in for the vendor needs."""

    def __init__(
        self,
        url: str,
        *,
        networks: Sequence[Network] = (),
        seconds: tuple[float, float] = _SECONDS,
    ) -> None:
        self._url, self._networks, self._seconds = url.rstrip("/"), networks, seconds

    def send(self, request: Request) -> Reply:
        """Send the request once. Numbers in the answer are decimals, never floats."""
        try:
            status, content = self._exchange(request)
        except AnswerTooLarge:
            return Reply(status=None, problem="answer_too_large")
        except requests.Timeout:
            return Reply(status=None, problem="timeout")
        except (requests.RequestException, OSError):
            # What the library says may have the address with what was asked.
            return Reply(status=None, problem="no_connection")
        return _reply(status, content)

    def fetch(self, path: str) -> bytes | None:
        """The bytes at a path; None if there are none."""
        try:
            status, content = self._exchange(Request(method="GET", path=path))
        except (AnswerTooLarge, requests.RequestException, OSError):
            return None
        return content if status == _OK else None

    def _exchange(self, request: Request) -> tuple[int, bytes]:
        return exchange(
            request.method,
            self._url + request.path,
            headers=request.headers,
            body=request.body,
            query=request.query,
            networks=self._networks,
            seconds=self._seconds,
            bytes_max=_BYTES_MAX,
        )


def _reply(status: int, content: bytes) -> Reply:
    if not content:
        return Reply(status=status)
    try:
        body = json.loads(content, parse_float=Decimal)
    except ValueError:
        # A page of a proxy in between, for example. A status of 4xx from there is not the vendor's.
        return Reply(status=None, problem=f"no_json_{status}")
    return Reply(status=status, body=body if isinstance(body, dict) else {}, content=content)
