"""Call the API of a vendor: only allowed addresses, no redirect, a bounded answer."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from common import addresses
from common.addresses import Network

_SECONDS = (4.0, 15.0)  # to connect, and of silence
_SECONDS_MAX = 30.0
_BYTES_MAX = 1_000_000


class Unreadable(Exception):
    """The vendor's answer is not what its documents say."""


@dataclass(frozen=True)
class VendorAnswer:
    """What came back. `status` is None if there was no whole answer: nothing is known then."""

    status: int | None
    body: bytes = b""
    error: str = ""

    def json(self) -> Any:
        """The body; numbers with a fraction are exact. Raises Unreadable."""
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise Unreadable("The answer is no JSON.") from None


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    networks: Sequence[Network],
) -> VendorAnswer:
    """Send one request, once. Raises nothing for what the vendor or the network does.

    `networks`: what may be called besides public addresses. No proxy, because that would look up
    the name in place of Butler.
    """
    try:
        status, content = exchange(method, url, headers=headers, body=body, networks=networks)
        return VendorAnswer(status, content)
    except (AnswerTooLarge, requests.RequestException, OSError) as error:
        # The type alone: the text may have an address with a secret in it.
        return VendorAnswer(None, error=type(error).__name__)


class AnswerTooLarge(Exception):
    """The answer is larger than any that a vendor gives."""


def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    query: Sequence[tuple[str, str]] = (),
    networks: Sequence[Network],
    seconds: tuple[float, float] = _SECONDS,
    bytes_max: int = _BYTES_MAX,
) -> tuple[int, bytes]:
    """Send one request, once; status and body of the answer. `seconds`: to connect, and of silence.

    Raises AnswerTooLarge, what `requests` raises (Timeout also if the answer comes too slowly), and
    OSError.
    """
    with addresses.only(networks), requests.Session() as session:
        # Neither a proxy nor a password from the environment of the process.
        session.trust_env = False
        with session.request(
            method,
            url,
            params=list(query),
            data=body,
            headers={"User-Agent": "Butler", **headers},
            timeout=seconds,
            allow_redirects=False,
            stream=True,
        ) as answer:
            return answer.status_code, _read(answer, bytes_max)


def _read(answer: requests.Response, bytes_max: int) -> bytes:
    body = bytearray()
    ends = time.monotonic() + _SECONDS_MAX
    try:
        # Not `iter_content`: it waits until a piece is full, however slowly that goes.
        while piece := answer.raw.read1(65_536, decode_content=True):
            body += piece
            if len(body) > bytes_max:
                raise AnswerTooLarge
            if time.monotonic() > ends:
                raise requests.Timeout("The answer comes too slowly.")
    except HTTPError as error:
        raise requests.ConnectionError(type(error).__name__) from None
    return bytes(body)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no amount.")
