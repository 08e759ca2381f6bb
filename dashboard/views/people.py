"""People: the list, and the page of one with what others may do to their access."""

from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from common import links
from common.admin.visible_rows import visible_to
from common.refusal import Refusal
from dashboard import tables
from dashboard.acts import Act, Dialog, confirmation, opened_dialog, performed, refused
from dashboard.exports import exported
from dashboard.people.acts import ACTS, INVITE, INVITE_AGAIN, invite, invite_again
from dashboard.people.delegations import delegation_lines, deputy_acts
from dashboard.people.detail import detail
from dashboard.people.table import people_table
from gate import roles
from gate.invitations import invitation_url
from gate.queries import may_do_as_much, may_manage
from security.request_actor import person_of

tables.register("people", people_table, permission="auth.view_user")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("auth.view_user", raise_exception=True)
@exported("people")
@sensitive_variables("link")
def people(request: HttpRequest) -> HttpResponse:
    """GET /settings/people: every person; `act=invite` opens the dialog. POST: invite."""
    acts = [INVITE] if INVITE.is_for(request.user, None) else []
    dialog = opened_dialog(request, acts, None)
    if dialog and (first := confirmation(request, dialog)):
        return first
    invited = link = None
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if invited := _invited(request, dialog):
            link, dialog = invitation_url(invited), None
    context = {
        "acts": acts,
        "dialog": dialog,
        "invited": invited,
        "link": link,
        "roles": list(roles.roles()),
        "role": request.GET.get("role", ""),
        "table": people_table(request.user, request.GET, timezone.now()),
    }
    return render(request, "dashboard/people/list.html", context)


def _invited(request: HttpRequest, dialog: Dialog) -> User | None:
    """The person who was invited; None if the dialog stays open with what is wrong."""
    if not dialog.form.is_valid():
        return None
    try:
        return invite(dialog.form.cleaned_data, person_of(request), timezone.now())
    except Refusal as refusal:
        refused(dialog, refusal)
        return None


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("auth.view_user", raise_exception=True)
@sensitive_variables("link")
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /settings/people/<id>: the page; `act` opens the dialog of an act. POST: do it."""
    found = get_object_or_404(visible_to(request.user, User.objects.all()), pk=pk)
    deputies = delegation_lines(request.user, found, now=timezone.now())
    acts = [*_acts(request.user, found), *deputy_acts(request.user, found, deputies)]
    dialog = opened_dialog(request, acts, found)
    if dialog and (first := confirmation(request, dialog)):
        return first
    link = None
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if dialog.act is not INVITE_AGAIN:
            if performed(request, dialog, found):
                return redirect(links.url("user", pk))
        elif dialog.form.is_valid():
            asked = dialog.form.cleaned_data
            link = invitation_url(invite_again(found, asked, person_of(request), timezone.now()))
            dialog = None
    context: dict[str, Any] = {"person": found, "acts": acts, "dialog": dialog, "link": link}
    context["deputies"] = deputies
    context |= detail(request.user, found, now=timezone.now())
    return render(request, "dashboard/people/detail.html", context)


def _acts(user: Any, found: User) -> list[Act]:
    """What the person may do to another one; nobody changes their own access."""
    if user.pk == found.pk or not may_manage(user, found):
        return []
    acts = [act for act in ACTS if act.is_for(user, found)]
    # Who sets the password of a person can sign in as that person.
    return acts if may_do_as_much(user, found) else [act for act in acts if act is not INVITE_AGAIN]
