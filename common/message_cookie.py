"""Messages of pages in a cookie of Butler's own, below its path.

Django's is named `messages` and is for the whole host, so that another application there, or
another Butler at another port, would read it and take it away.
"""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.http.response import HttpResponseBase


class OwnCookieStorage(CookieStorage):
    """In a cookie with the name and the path of the session's."""

    cookie_name = f"{settings.SESSION_COOKIE_NAME}_messages"

    def _update_cookie(self, encoded_data: str, response: HttpResponseBase) -> None:
        super()._update_cookie(encoded_data, response)
        if self.cookie_name in response.cookies:
            response.cookies[self.cookie_name]["path"] = settings.SESSION_COOKIE_PATH


class MessageStorage(FallbackStorage):
    """In that cookie, and in the session what does not fit into it."""

    storage_classes = (OwnCookieStorage, SessionStorage)
