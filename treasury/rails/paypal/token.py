"""PayPal's access token: fetched with the secret, kept until shortly before it expires."""

import base64
import time
from hashlib import sha256
from threading import Lock
from urllib.parse import urlencode

from treasury.rails.http import HttpClient, Reply, Request
from treasury.rails.kinds import Connection

_PATH = "/v1/oauth2/token"
# Not used when it is about to expire.
_MARGIN_SECONDS = 60
_KEPT_MAX = 64

# By who it is for: each process has its own. The token and the second until which it is used.
_kept: dict[str, tuple[str, float]] = {}
_lock = Lock()


class AccessToken:
    """The token of one rail account."""

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        client = f"{connection.settings.get('client_id', '')}:{connection.secret}"
        self._basic = base64.b64encode(client.encode()).decode()
        self._http = http
        self._who = sha256(f"{connection.url} {client}".encode()).hexdigest()

    def get(self) -> tuple[str, Reply | None]:
        """The token; without one, an empty text and PayPal's answer."""
        with _lock:
            token, until = _kept.get(self._who, ("", 0.0))
        if token and time.monotonic() < until:
            return token, None
        reply = self._fetch()
        if not reply.is_ok or not isinstance(reply.body.get("access_token"), str):
            return "", reply
        token = reply.body["access_token"]
        lasts = int(reply.body.get("expires_in") or 0)
        with _lock:
            if len(_kept) >= _KEPT_MAX:
                _kept.clear()
            _kept[self._who] = token, time.monotonic() + lasts - _MARGIN_SECONDS
        return token, None

    def forget(self) -> None:
        """PayPal does not take it any more."""
        with _lock:
            _kept.pop(self._who, None)

    def _fetch(self) -> Reply:
        headers = {
            "Authorization": f"Basic {self._basic}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = urlencode({"grant_type": "client_credentials"}).encode()
        return self._http.send(Request(method="POST", path=_PATH, headers=headers, body=form))
