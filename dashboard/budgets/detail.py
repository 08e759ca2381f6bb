"""What the page of one budget shows: the limits of a cost centre or an agent."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from common.admin.visible_rows import visible_to
from dashboard.acts import Act
from dashboard.budget_links import scope_url
from dashboard.budgets.budget import Budget, landed, limit_title
from dashboard.budgets.spenders import spenders
from dashboard.budgets.thresholds import SET_THRESHOLDS, Threshold, thresholds_of
from dashboard.budgets.tree import Choice, chosen
from dashboard.budgets.usage import usage_of
from dashboard.budgets.windows import windows_chart, windows_table
from dashboard.limit_act import CHANGE_CARRY_OVER, CHANGE_LIMIT
from keys.audit_actions import Action
from keys.books.queries.pages import budget_meters, latest_history
from keys.models import Agent, CostCentre, Grant, Limit, Organisation, Window
from prediction.run_rate.exhaustion import LearnedPace, RunsOut, runs_out
from security.audit_changes import changes

_SHOWN = 10
CHANGE = replace(CHANGE_LIMIT, applies=lambda subject: bool(subject.limits_in_force))


class BudgetLine(NamedTuple):
    """A budget with its title, and the page on which its periods are shown."""

    budget: Budget
    title: str
    query: str
    is_current: bool
    thresholds: list[Threshold]
    carry_over_max: Decimal | None
    explains_carry_over: bool = False
    has_pace: bool = False
    runs_out: RunsOut | None = None


def acts_on(user: Any, subject: CostCentre | Agent) -> list[Act]:
    """What the person may do to the budgets; nothing to those of a closed cost centre."""
    if isinstance(subject, CostCentre) and subject.closed_at:
        return []
    return [
        each for each in (CHANGE, CHANGE_CARRY_OVER, SET_THRESHOLDS) if each.is_for(user, subject)
    ]


def detail(
    user: Any,
    scope: str,
    limits: Iterable[Limit],
    query: Mapping[str, str],
    *,
    paces: Mapping[str, LearnedPace],
    organisation: Organisation,
    now: datetime,
) -> dict[str, Any]:
    """The context of the page, as far as the person may see its parts. `limits`: those in force,
    `paces`: what was learned of the scope, by unit."""
    zone = ZoneInfo(organisation.reporting_zone)
    windows = visible_to(user, Window.objects.filter(limit__scope=scope))
    meters = sorted(
        budget_meters(windows, now=now), key=lambda each: Choice(each.unit, each.period).rank
    )
    choice = chosen([Choice(each.unit, each.period) for each in meters], query)
    usage = usage_of(user, scope, zone=zone, now=now)
    thresholds = thresholds_of(windows, organisation=organisation)
    caps = {limit.pk: limit.carry_over_max for limit in limits}
    # Where the word first appears.
    explained = next((each.limit_id for each in meters if caps.get(each.limit_id)), None)
    context: dict[str, Any] = {
        "scope": scope,
        "budgets": [
            BudgetLine(
                landed(each, usage[each.unit], zone=zone, now=now),
                limit_title(each.unit, each.period),
                Choice(each.unit, each.period).query,
                (each.unit, each.period) == choice,
                thresholds.get(each.limit_id, []),
                caps.get(each.limit_id),
                each.limit_id == explained,
                each.unit in paces,
                runs_out(each, None, paces.get(each.unit), now=now),
            )
            for each in meters
        ],
        "choice": choice,
        "now": now,
    }
    if meters:
        context |= _windows(user, scope, choice, query, zone=zone, now=now)
    if user.has_perm("keys.view_charge"):
        context["spenders"] = spenders(
            user, scope, choice.period, organisation=organisation, now=now
        )
    if user.has_perm("keys.view_grant"):
        context["grants"] = _grants(user, scope)
    if user.has_perm("security.view_auditentry"):
        entries = latest_history(about=scope, without=Action.WINDOW_OPEN, most=_SHOWN)
        context["history"] = [{"entry": entry, "changes": changes(entry)} for entry in entries]
    return context


def above(user: Any, path: list[str]) -> list[tuple[str, str]]:
    """The cost centres of the path that the person sees, each with its page."""
    seen = visible_to(user, CostCentre.objects.filter(pk__in=path)).order_by("path")
    return [(slug, scope_url(f"centre:{slug}") or "") for slug in seen.values_list("pk", flat=True)]


def _windows(
    user: Any,
    scope: str,
    choice: Choice,
    query: Mapping[str, str],
    *,
    zone: ZoneInfo,
    now: datetime,
) -> dict[str, Any]:
    kind, _, slug = scope.partition(":")
    named = {"kind": kind, "slug": slug, "unit": choice.unit, "period": choice.period}
    table = windows_table(user, {"after": query.get("after", ""), **named}, now)
    return {"windows": table, "chart": windows_chart(table, choice, zone=zone)}


def _grants(user: Any, scope: str) -> list[Grant]:
    grants = Grant.objects.filter(limit__scope=scope).select_related("limit", "approval")
    return list(visible_to(user, grants)[:_SHOWN])
