"""The theme of pages."""

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from common import links
from dashboard.theme import COOKIE, THEMES

_YEAR_SECONDS = 365 * 86_400


@staff_member_required
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """POST /theme: keep the chosen theme in this browser, and go back to the page."""
    chosen, back = request.POST.get("theme", ""), request.POST.get("next", "")
    if chosen not in THEMES:
        return HttpResponseBadRequest("There is no such theme.")
    is_here = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    response = redirect(back if is_here else links.url("overview"))
    response.set_cookie(
        COOKIE,
        chosen,
        max_age=_YEAR_SECONDS,
        secure=request.is_secure(),
        httponly=True,
        path=settings.SESSION_COOKIE_PATH,
        samesite="Lax",
    )
    return response
