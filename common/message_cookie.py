"""Messages of pages in a cookie of Butler's own, below its path.

Django's is named `messages` and is for the whole host, so that another application there, or
another Butler at another port, would read it and take it away.
"""

from typing import Any

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.http.response import HttpResponseBase


class OwnCookieStorage(CookieStorage):
    """In a cookie that is named like the session's."""

    cookie_name = f"{settings.SESSION_COOKIE_NAME}_messages"


class MessageStorage(FallbackStorage):
    """In that cookie, and in the session what does not fit into it."""

    storage_classes = (OwnCookieStorage, SessionStorage)

    def update(self, response: HttpResponseBase) -> list[Any] | None:
        """Store or delete what is left; the cookie gets the path of the session's."""
        left = super().update(response)
        if cookie := response.cookies.get(OwnCookieStorage.cookie_name):
            cookie["path"] = settings.SESSION_COOKIE_PATH
        return left
