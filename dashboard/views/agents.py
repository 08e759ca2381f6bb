"""Agents: the list, and the page of one with what people may do to it."""

from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from common import links
from common.admin.visible_rows import visible_to
from common.refusal import Refusal
from dashboard import organisation, tables
from dashboard.acts import Dialog, confirmation, opened_dialog, performed, refused
from dashboard.agents.acts import ACTS, ISSUE_TOKEN, issue
from dashboard.agents.add import ADD
from dashboard.agents.agent_tables import (
    allocations_table,
    tasks_table,
    tokens_table,
)
from dashboard.agents.detail import detail
from dashboard.agents.lines import STATUSES
from dashboard.agents.place import RENAME, move_act
from dashboard.agents.table import AgentsQuery, agents_table, chosen, lines_in, table_of
from dashboard.changed_url import changed_url
from dashboard.exports import exported
from dashboard.row_tables import of_row
from keys.books.queries.freezes import freezes_of
from keys.models import Agent, AgentToken, CostCentre, Limit
from security.request_actor import person_of

tables.register("agents", agents_table, permission="keys.view_agent")
_TABLES_OF_AGENT = {
    "agent-allocations": of_row(Agent, allocations_table, permission="keys.view_allocation"),
    "agent-tokens": of_row(Agent, tokens_table, permission="keys.view_agenttoken"),
    "agent-tasks": of_row(Agent, tasks_table, permission="orchestration.view_task"),
}
for _name, _builder in _TABLES_OF_AGENT.items():
    tables.register(_name, _builder, permission="keys.view_agent")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("keys.view_agent", raise_exception=True)
@exported("agents")
def agents(request: HttpRequest) -> HttpResponse:
    """GET /agents: the agents that are asked for; `act=add` opens the dialog. POST: add one."""
    user, now = request.user, timezone.now()
    acts = [ADD] if ADD.is_for(user, user) else []
    dialog = opened_dialog(request, acts, user)
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, user):
            return redirect(links.url("agent", dialog.form.cleaned_data["slug"]))
    asked = AgentsQuery.of(request.GET)
    lines = lines_in(user, asked, now)
    with_tokens = user.has_perm("keys.view_agenttoken")
    context = {
        "acts": acts,
        "dialog": dialog,
        "asked": asked,
        "has_agents": bool(lines) or Agent.objects.exists(),
        "tabs": _tabs(request, [line.status for line in lines], asked),
        "centres": visible_to(user, CostCentre.objects.order_by("path")),
        "soon": sum(line.expires_soon(now) for line in lines) if with_tokens else 0,
        "soon_url": changed_url(request, {"tokens": "soon"}, without=("act",)),
        "any_tokens_url": changed_url(request, {}, without=("tokens", "act")),
        "table": tables.paged(table_of(user, chosen(lines, asked, now), now), request.GET),
    }
    return render(request, "dashboard/agents/list.html", context)


def _tabs(
    request: HttpRequest, statuses: list[str], asked: AgentsQuery
) -> list[tuple[str, int, str, bool]]:
    """The title, count and page of all agents, and of those with each status."""
    every = changed_url(request, {}, without=("status", "act"))
    return [("all", len(statuses), every, not asked.status)] + [
        (each, statuses.count(each), changed_url(request, {"status": each}, without=("act",)),
         asked.status == each)
        for each in STATUSES
    ]  # fmt: skip


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("keys.view_agent", raise_exception=True)
@exported(*_TABLES_OF_AGENT)
@sensitive_variables("issued")
def agent(request: HttpRequest, slug: str) -> HttpResponse:
    """GET /agents/<slug>: the page; `act` opens the dialog of an act. POST: do it."""
    found = _agent(request.user, slug)
    acts = [
        act for act in (*ACTS, RENAME, move_act(request.user)) if act.is_for(request.user, found)
    ]
    dialog = opened_dialog(request, acts, found)
    if dialog and (first := confirmation(request, dialog)):
        return first
    issued = None
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if dialog.act is ISSUE_TOKEN:
            issued = _issue(request, dialog, found)
            dialog = None if issued else dialog
        elif performed(request, dialog, found):
            return redirect(links.url("agent", slug))
    context: dict[str, Any] = {"agent": found, "acts": acts, "dialog": dialog, "issued": issued}
    zone = organisation.zone(request)
    context |= detail(request.user, found, zone=zone, now=timezone.now())
    return render(request, "dashboard/agents/detail.html", context)


def _agent(user: Any, slug: str) -> Any:
    """The agent, with what decides which acts apply."""
    limits = Prefetch("limits", Limit.objects.filter(removed_at=None), to_attr="limits_in_force")
    tokens = AgentToken.objects.filter(agent=OuterRef("pk"), revoked_at=None)
    agents = Agent.objects.select_related("cost_centre").prefetch_related(limits)
    found: Any = get_object_or_404(
        visible_to(user, agents.annotate(has_tokens=Exists(tokens))), pk=slug
    )
    scopes = [freeze.scope for freeze in freezes_of(found)]
    found.is_frozen = bool(scopes)
    found.is_frozen_itself = f"agent:{slug}" in scopes
    return found


@sensitive_variables()
def _issue(request: HttpRequest, dialog: Dialog, found: Agent) -> tuple[AgentToken, str] | None:
    """The new token, for this answer alone; None if the dialog stays open with what is wrong."""
    if not dialog.form.is_valid():
        return None
    try:
        return issue(found, dialog.form.cleaned_data, person_of(request), timezone.now())
    except Refusal as refusal:
        refused(dialog, refusal)
        return None
