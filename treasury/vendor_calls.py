"""Call the API of a vendor: only allowed addresses, no redirect, a bounded answer."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests

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
        with addresses.only(networks), requests.Session() as session:
            # Neither a proxy nor a password from the environment of the process.
            session.trust_env = False
            answer = session.request(
                method,
                url,
                headers={"User-Agent": "Butler", **headers},
                data=body,
                timeout=_SECONDS,
                allow_redirects=False,
                stream=True,
            )
            return VendorAnswer(answer.status_code, _read(answer))
    except (requests.RequestException, OSError) as error:
        # The type alone: the text may have an address with a secret in it.
        return VendorAnswer(None, error=type(error).__name__)


def _read(answer: requests.Response) -> bytes:
    body = b""
    ends = time.monotonic() + _SECONDS_MAX
    for piece in answer.iter_content(65_536):
        body += piece
        if len(body) > _BYTES_MAX or time.monotonic() > ends:
            raise requests.ConnectionError("The answer is too long.")
    return body


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no amount.")
