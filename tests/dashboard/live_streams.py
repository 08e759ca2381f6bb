"""Browsers that keep a page live, as far as the server sees them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client
from django.urls import get_resolver

from dashboard.live import hub, pages

WAITS_SECONDS = 30
_TICK_SECONDS = 0.02


def quick_ticks(patch: Any) -> None:
    """Make a second of the hub 20 ms."""
    for name in ("_TICK_SECONDS", "_BEAT_SECONDS", "_CHECK_SECONDS"):
        patch.setattr(hub, name, getattr(hub, name) * _TICK_SECONDS)


def live_page(patch: Any, kind: str, fragments: pages.Fragments, permission: str = "") -> None:
    """Make a page live with these fragments instead of its own."""
    # By then, it has.
    assert get_resolver().url_patterns
    patch.setitem(pages._pages, kind, pages.LivePage(kind, permission, fragments))


class Event(NamedTuple):
    """One message of a stream; `name` is "" for the state of the page."""

    name: str
    data: str
    moment: str


class LiveStream:
    """A stream that was opened; what came is read when it is asked for."""

    def __init__(self, response: HTTPResponse) -> None:
        self.response = response
        self.status, self.headers = response.status, dict(response.getheaders())

    def next(self, *names: str) -> Event:
        """The next message with one of these names; EOFError at the end of the stream."""
        while True:
            event = self._read()
            if event.name in names:
                return event

    def next_state(self, *, until: str = "") -> str:
        """The next state of the page, with this text in it."""
        while True:
            data = self.next("").data
            if until in data:
                return data

    def rest(self) -> list[str]:
        """The names of the messages up to the end, which the server must have made whole."""
        names = []
        try:
            while True:
                names.append(self._read().name)
        except EOFError:
            return names

    def _read(self) -> Event:
        fields: dict[str, list[str]] = {}
        while line := self.response.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields.setdefault(name, []).append(value)
        if not fields:
            raise EOFError
        return Event("".join(fields.get("event", [])), "\n".join(fields["data"]), *fields["id"])


@contextmanager
def live_stream(url: str, client: Client, query: str = "?page=access") -> Iterator[LiveStream]:
    """The stream of a page, with the session of the client."""
    address = urlsplit(url)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=WAITS_SECONDS)
    cookie = client.cookies.get(settings.SESSION_COOKIE_NAME)
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie.value}"} if cookie else {}
    with closing(connection):
        connection.request("GET", f"/live{query}", headers=headers)
        with connection.getresponse() as response:
            yield LiveStream(response)
