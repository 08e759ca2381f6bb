"""Send findings to Butler: `POST /api/v1/findings` for each, over TLS unless it is this machine."""

from __future__ import annotations

import json
import os
from http import client
from threading import Thread
from urllib.parse import urlsplit

from security.scanner.finding import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from security.scanner.destination import Destination
    from security.scanner.finding import Finding

_PATH = "/api/v1/findings"
_SECONDS = 2.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# The most characters that Butler takes.
_PATH_MAX, _TEXT_MAX = 1_000, 100_000


class NotSent(Exception):
    """The findings cannot be sent; the text says why, and has no secret."""


def send(findings: list[Finding], destination: Destination) -> str:
    """Send the findings and say in a line how that went. Raises nothing.

    It waits 2 seconds for each answer. A thread sends, because nothing else ends the look-up of a
    name in time.
    """
    delivery = _Delivery(findings, destination)
    thread = Thread(target=delivery.run, daemon=True)
    thread.start()
    before = -1
    while thread.is_alive() and before < delivery.sent:
        before = delivery.sent
        thread.join(_SECONDS)
    return delivery.summary()


class _Delivery:
    def __init__(self, findings: list[Finding], destination: Destination) -> None:
        self._findings = findings
        self._destination = destination
        self.sent = 0
        self._failure = f"no answer within {_SECONDS:g} seconds"

    def run(self) -> None:
        try:
            connection, path = _connection(self._destination.url)
            for finding in self._findings:
                _post(connection, path, finding, self._destination)
                self.sent += 1
        except (NotSent, OSError) as failure:
            self._failure = str(failure)
        # The texts of these can quote the token, or what the server sent.
        except ValueError:
            self._failure = "its address or the token is malformed"
        except client.HTTPException as failure:
            self._failure = type(failure).__name__

    def summary(self) -> str:
        count = len(self._findings)
        if self.sent == count:
            return f"Butler was told of {'1 finding' if count == 1 else f'{count} findings'}."
        return f"Butler was told of {self.sent} of {count} findings: {self._failure}."


def _connection(url: str) -> tuple[client.HTTPConnection, str]:
    """A connection that follows no redirect and knows no proxy: the token goes to Butler only."""
    address = urlsplit(url)
    host = address.hostname or ""
    path = address.path.rstrip("/") + _PATH
    if address.scheme == "https" and host:
        return client.HTTPSConnection(host, address.port), path
    if address.scheme == "http" and host in _LOOPBACK:
        return client.HTTPConnection(host, address.port), path
    raise NotSent("its address must begin with https://, or be http:// and this machine")


def _post(
    connection: client.HTTPConnection, path: str, finding: Finding, destination: Destination
) -> None:
    headers = {
        "Authorization": f"Bearer {destination.token}",
        "Content-Type": "application/json",
        "Idempotency-Key": os.urandom(16).hex(),
    }
    connection.request("POST", path, json.dumps(_fields(finding, destination)), headers)
    answer = connection.getresponse()
    answer.read()
    if not 200 <= answer.status < 300:
        raise NotSent(f"it answered {answer.status}")


def _fields(finding: Finding, destination: Destination) -> dict[str, str | int]:
    path = f"{destination.folder}/{finding.path}" if destination.folder else finding.path
    commit = f" in commit {finding.commit[:12]}" if finding.commit else ""
    fields: dict[str, str | int] = {
        "rule": finding.rule,
        "path": f"{printable(path)}{commit}"[-_PATH_MAX:],
        "line": finding.line,
        "excerpt": finding.excerpt,
    }
    if destination.with_secrets:
        # A link's target can have bytes that are no text.
        fields["text"] = finding.secret.encode(errors="replace").decode()[:_TEXT_MAX]
    return fields
