"""Approvals: what waits for the person, for others, and what was decided; and one of them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import user_passes_test
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from common import links
from dashboard import tables
from dashboard.acts import Act, opened_dialog, performed
from dashboard.approvals.acts import APPROVE_AS_DEPUTY, DECISIONS, GATE_DECISIONS, WITHDRAW
from dashboard.approvals.done_table import done_table
from dashboard.approvals.inbox import (
    absent_persons,
    asked_by,
    frozen_scopes,
    lines_of_others,
    own_count,
    own_lines,
)
from dashboard.approvals.items import Item, approval_item, gate_item
from dashboard.approvals.policy_act import SET_RULE, rules_in_words
from dashboard.exports import exported
from orchestration.queries.gates import VIEW as VIEW_GATES
from orchestration.queries.gates import absent_at_gates, visible_gates
from security.deciders import is_decider, may_see_approvals, visible_approvals
from security.delegations import delegations_to
from security.models import Approval


def _has_inbox(user: Any) -> bool:
    """Who may see approvals, and a deputy; others get a page that says so, not a sign-in."""
    if not may_see_approvals(user, now=timezone.now()):
        raise PermissionDenied
    return True


def _has_gates(user: Any) -> bool:
    """Who may see sub-tasks, and a deputy."""
    if not (user.has_perm(VIEW_GATES) or delegations_to(user, now=timezone.now())):
        raise PermissionDenied
    return True


tables.register("approvals", done_table, permission="security.view_approval")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@user_passes_test(_has_inbox)
@exported("approvals")
def approvals(request: HttpRequest) -> HttpResponse:
    """GET /approvals: the inbox, and the decisions below; `act=rule` opens the dialog of the rule
    of budget requests. POST: set it."""
    user, now = request.user, timezone.now()
    acts = [SET_RULE] if SET_RULE.is_for(user, None) else []
    dialog = opened_dialog(request, acts, None)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, None):
            return redirect(links.url("approvals"))
    own = own_lines(user, now=now)
    context = {
        "acts": acts,
        "dialog": dialog,
        "rules": rules_in_words() if user.has_perm("security.view_approvalpolicy") else [],
        "own": own,
        "own_count": own_count(user, now=now),
        "frozen": frozen_scopes(user),
        "others": lines_of_others(user, now=now),
        "done": done_table(user, request.GET, now),
        "delegations": delegations_to(user, now=now),
    }
    return render(request, "dashboard/approvals/inbox.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@user_passes_test(_has_inbox)
def approval(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /approvals/<id>: an approval; `act` opens the dialog of a decision. POST: decide."""
    now = timezone.now()
    found = get_object_or_404(visible_approvals(request.user, now=now), pk=pk)
    acts = _acts(request.user, found, now)
    absent = absent_persons(request.user, [pk], now=now).get(pk, "")
    return _decide(request, found, acts, lambda: approval_item(found, now=now), absent)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@user_passes_test(_has_gates)
def gate(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /approvals/gates/<id>: the gate of a sub-task, as an approval."""
    now = timezone.now()
    found = get_object_or_404(visible_gates(request.user, now=now), pk=pk)
    absent = absent_at_gates(request.user, [pk], now=now).get(pk, "")
    possible = (APPROVE_AS_DEPUTY,) if absent else GATE_DECISIONS
    acts = [act for act in possible if act.is_for(request.user, found)]
    return _decide(request, found, acts, lambda: gate_item(found), absent)


def _acts(user: Any, found: Approval, now: datetime) -> list[Act]:
    """What the person may do to the approval now."""
    if not approval_item(found, now=now).is_waiting:
        return []
    decisions = DECISIONS if is_decider(user, found, now=now) else ()
    return [*decisions, *([WITHDRAW] if asked_by(user, found) else [])]


def _decide(
    request: HttpRequest,
    found: Any,
    acts: Sequence[Act],
    item_of: Callable[[], Item],
    for_whom: str = "",
) -> HttpResponse:
    """The page; or do what its dialog asks, and tell the second of two what the first did."""
    dialog = opened_dialog(request, acts, found)
    if request.method == "POST":
        if dialog and performed(request, dialog, found):
            return redirect(links.url("approvals"))
        found.refresh_from_db()
        if not (item := item_of()).is_waiting:
            messages.warning(request, _was_first(item))
            return redirect(item.url)
        if dialog is None:
            raise PermissionDenied
    context = {"item": item_of(), "acts": acts, "dialog": dialog, "for_whom": for_whom}
    return render(request, "dashboard/approvals/item.html", context)


def _was_first(item: Item) -> str:
    """What the person is told who decides what is decided already."""
    who = f" by {item.decided_by}" if item.decided_by else ""
    why = f": “{item.decided_reason}”" if item.decided_reason else ""
    return f"It is {item.status} already{who}{why}. Your decision changed nothing."
