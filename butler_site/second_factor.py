"""Middleware: people with a role that requires a second factor set one up first."""

from collections.abc import Callable

from allauth.mfa.adapter import get_adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

SUPERUSER = "superuser"
# To set a second factor up, to sign out, and what those pages consist of.
_OPEN = ("/account/", "/admin/logout/", "/admin/login/", "/static/")


class RequireSecondFactor:
    """Leads a person without a second factor to the page that sets one up, if a role of theirs is
    in `settings.SECOND_FACTOR_ROLES`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The page, or the way to set a second factor up."""
        if (
            settings.SECOND_FACTOR_ROLES
            # Requests of agents have no session, and are not delayed by looking for one.
            and settings.SESSION_COOKIE_NAME in request.COOKIES
            and not request.path_info.startswith(_OPEN)
            and lacks_second_factor(request)
        ):
            return redirect("mfa_index")
        return self._get_response(request)


def lacks_second_factor(request: HttpRequest) -> bool:
    """Whether a role of the person requires a second factor, and there is none."""
    person = request.user
    if not person.is_authenticated or get_adapter().is_mfa_enabled(person):
        return False
    required = settings.SECOND_FACTOR_ROLES
    return (person.is_superuser and SUPERUSER in required) or person.groups.filter(
        name__in=required
    ).exists()
