"""Dangerous acts need a password or a second factor that was given a short time ago."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from common.admin.dialogs import redirect_to

View = TypeVar("View", bound=Callable[..., Any])


def is_recent(request: HttpRequest) -> bool:
    """Whether the person gave a password or second factor within the last minutes
    (`ACCOUNT_REAUTHENTICATION_TIMEOUT`, in seconds)."""
    records = get_authentication_records(request, request.user)
    oldest = time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    return bool(records) and records[-1]["at"] > oldest


def confirmation_url(back: str) -> str:
    """The page on which a person confirms that it is them; it leads back to the path `back`."""
    return f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}"


def reauthenticated(action: View) -> View:
    """Decorator of an action of the admin: a person who signed in long ago confirms first.

    What was entered in the dialog is not kept: it may be a secret.
    """

    @wraps(action)
    def checked(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_recent(request):
            answer: HttpResponse = action(self, request, *args, **kwargs)
            return answer
        messages.warning(request, "Confirm that it is you, then do this again.")
        back = request.headers.get("HX-Current-URL") or request.META.get("HTTP_REFERER") or "/"
        return redirect_to(request, confirmation_url(back))

    return checked  # type: ignore[return-value]
