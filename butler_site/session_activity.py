"""Middleware: writes down, every few minutes, that a session of a person is used."""

import time
from collections.abc import Callable

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from gate import services as gate

# A stream or a page that looks again by itself is no sign of a person.
_BY_ITSELF = ("/live", "/static/")
_SESSIONS_MAX = 10_000


class NoteActivity:
    """Asks the database once in a while for each session; which it asked, each process knows."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._noted: dict[str, float] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The page, after it is noted."""
        # Requests of agents have no session, and are not delayed by looking for one.
        if (
            settings.SESSION_COOKIE_NAME in request.COOKIES
            and not request.path_info.startswith(_BY_ITSELF)
            and request.session.get(AUTHENTICATION_METHODS_SESSION_KEY)
        ):
            self._note(request.session.session_key or "")
        return self._get_response(request)

    def _note(self, session_key: str) -> None:
        now, every = time.monotonic(), gate.NOTED_EVERY.total_seconds()
        if now - self._noted.get(session_key, -every) < every:
            return
        if len(self._noted) >= _SESSIONS_MAX:
            self._noted.clear()
        self._noted[session_key] = now
        gate.note_activity(session_key, now=timezone.now())
