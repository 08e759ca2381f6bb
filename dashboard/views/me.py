"""Where the person is signed in, who decides for them, and how pages look in this browser."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import formatting, links
from dashboard.acts import opened_dialog, performed
from dashboard.people.delegations import delegation_lines, deputy_acts
from dashboard.people.detail import sessions
from dashboard.people.notices import NOTICES, notices_of
from dashboard.theme import THEMES, theme_of
from gate import queries, services
from security.request_actor import person_of


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
def me(request: HttpRequest) -> HttpResponse:
    """GET /settings/me: the sessions and deputies of the person; `act` opens a dialog. POST: do
    what it asks, or `session` ends one session, `others` all but this one."""
    user: Any = request.user
    deputies = delegation_lines(user, user, now=timezone.now())
    acts = [*deputy_acts(user, user, deputies), NOTICES]
    dialog = opened_dialog(request, acts, user)
    if request.method == "POST" and dialog is None:
        return _sign_out(request)
    if request.method == "POST" and dialog and performed(request, dialog, user):
        return redirect(links.url("me"))
    context = {
        "notices": notices_of(user),
        "deputies": deputies,
        "dialog": dialog,
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
