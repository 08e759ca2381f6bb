"""Budgets: the tree of cost centres and agents, and the budgets of one of them."""

from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Prefetch, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from common.admin.visible_rows import visible_to
from dashboard import organisation, tables
from dashboard.acts import opened_dialog, performed
from dashboard.budget_links import scope_url
from dashboard.budgets.detail import above, acts_on, detail
from dashboard.budgets.table import budgets_table, table_of
from dashboard.budgets.tree import choices, chosen
from dashboard.budgets.windows import windows_table
from dashboard.exports import exported
from dashboard.organisation import organisation_of
from keys.models import Agent, CostCentre, Limit
from prediction.queries.run_rates import paces_in, with_paces

tables.register("budgets", budgets_table, permission="keys.view_window")
tables.register("budget-windows", windows_table, permission="keys.view_window")
_MODELS: dict[str, Any] = {"centre": CostCentre, "agent": Agent}


@never_cache
@require_safe
@staff_member_required
@permission_required("keys.view_window", raise_exception=True)
@exported("budgets")
def budgets(request: HttpRequest) -> HttpResponse:
    """GET /budgets: the tree; `unit` and `period` choose which limits are shown."""
    user, now = request.user, timezone.now()
    present = choices(user)
    choice = chosen(present, request.GET)
    table = table_of(user, choice, request.GET, zone=organisation.zone(request), now=now)
    context = {"choices": present, "choice": choice, "table": table}
    return render(request, "dashboard/budgets/tree.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@permission_required("keys.view_window", raise_exception=True)
@exported("budget-windows")
def budget(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """GET /budgets/<cost centre>, /budgets/agents/<agent>: its limits, one of them period by
    period, who spends it, and its changes. POST: change a limit."""
    limits = Prefetch("limits", Limit.objects.filter(removed_at=None), to_attr="limits_in_force")
    rows = visible_to(request.user, _MODELS[kind].objects.prefetch_related(limits))
    rows = with_paces(rows, scope=Value(f"{kind}:{slug}"))
    subject = get_object_or_404(rows, pk=slug)
    acts = acts_on(request.user, subject)
    dialog = opened_dialog(request, acts, subject)
    scope = f"{kind}:{slug}"
    if request.method == "POST":
        if dialog is None:
            raise PermissionDenied
        if performed(request, dialog, subject):
            return redirect(scope_url(scope) or "/")
    context = {"subject": subject, "acts": acts, "dialog": dialog, "path": _path(request, subject)}
    now = timezone.now()
    context |= detail(
        request.user,
        scope,
        subject.limits_in_force,
        request.GET,
        paces=paces_in(subject, now=now),
        organisation=organisation_of(request),
        now=now,
    )
    return render(request, "dashboard/budgets/detail.html", context)


def _path(request: HttpRequest, subject: Model) -> list[tuple[str, str]]:
    """The cost centres above, with their pages."""
    if isinstance(subject, Agent):
        return above(request.user, subject.cost_centre.path)
    return above(request.user, subject.path[:-1]) if isinstance(subject, CostCentre) else []
