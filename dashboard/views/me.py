"""Where the person is signed in, and how pages look in this browser."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import formatting, links
from dashboard.people.detail import sessions
from dashboard.theme import THEMES, theme_of
from gate import queries, services
from security.request_actor import person_of


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
def me(request: HttpRequest) -> HttpResponse:
    """GET /settings/me: the sessions of the person. POST: `session` ends one, `others` all but
    this one."""
    if request.method == "POST":
        return _sign_out(request)
    user: Any = request.user
    context = {
        "sessions": sessions(queries.sign_ins_of(user, now=timezone.now())),
        "own_key": request.session.session_key,
        "themes": THEMES,
        "chosen": theme_of(request),
        "roles": sorted(queries.access_in_request(user).roles),
        "centres": sorted(queries.access_in_request(user).centres),
    }
    return render(request, "dashboard/people/me.html", context)


def _sign_out(request: HttpRequest) -> HttpResponse:
    """End what the form names; a session that is over already is no error."""
    user: Any = request.user
    actor, now = person_of(request), timezone.now()
    if "others" in request.POST:
        keep = request.session.session_key or ""
        ended = services.sign_out_others(user, keep=keep, actor=actor, now=now)
    else:
        number = request.POST.get("session", "")
        is_id = number.isascii() and number.isdigit() and len(number) < 19
        ended = services.sign_out(user, int(number) if is_id else 0, actor=actor, now=now)
    messages.success(request, f"{formatting.count(ended, 'session')} ended.")
    return redirect(links.url("me"))
