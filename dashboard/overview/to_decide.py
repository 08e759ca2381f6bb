"""What waits for a person: each as a sentence that leads to where it is decided."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from alerts import queries as alerts
from alerts.models import Severity
from common import formatting, links
from common.admin.visible_rows import visible_to
from dashboard.approvals.inbox import own_lines
from dashboard.budget_links import scope_url
from keys.limits.queries.budgets import budgets_running_out, lasts_until
from keys.models import ApiKey, Organisation, Window
from prediction.queries.run_rates import learned_paces
from prediction.run_rate.exhaustion import LearnedPace, lasts
from security.deciders import may_see_approvals

SHOWN = 5
_OUT = (ApiKey.Status.BROKEN, ApiKey.Status.EXHAUSTED, ApiKey.Status.SUSPENDED)


class Decision(NamedTuple):
    """Something to decide; `name` is unique on the page, `tone` is the class of its label."""

    name: str
    label: str
    tone: Literal["critical", "warning", "running"]
    title: str
    detail: str
    url: str


class Decisions(NamedTuple):
    """Those of one kind that are shown, and where the others are if there are more."""

    shown: list[Decision]
    more_url: str


# By the permission to see them: the kind of their page, and what is to decide.
_Kinds = dict[str, tuple[str, Callable[[], Iterator[Decision]]]]


def approvals_of(person: Any, *, now: datetime) -> list[Decisions]:
    """The approvals that wait for the person, who may not have asked for them."""
    if not may_see_approvals(person, now=now):
        return []
    found = list(islice(_approvals(person, now), SHOWN + 1))
    return _shown([("approvals", found)])


def to_decide(user: Any, *, organisation: Organisation, now: datetime) -> list[Decisions]:
    """What else is to decide, by kind, of what the user may see; the same for all who may see the
    same. A query for each kind."""
    kinds: _Kinds = {
        "alerts.view_alert": ("alerts", lambda: _alerts(user, now)),
        "keys.view_window": ("budgets", lambda: _budgets(user, organisation, now)),
        "keys.view_apikey": ("keys", lambda: _keys(user)),
    }
    return _by_kind(user, kinds)


def _by_kind(user: Any, kinds: _Kinds) -> list[Decisions]:
    found = [
        (kind, list(islice(decisions(), SHOWN + 1)))
        for permission, (kind, decisions) in kinds.items()
        if user.has_perm(permission)
    ]
    return _shown(found)


def _shown(found: list[tuple[str, list[Decision]]]) -> list[Decisions]:
    return [
        Decisions(decisions[:SHOWN], links.url(kind) if len(decisions) > SHOWN else "")
        for kind, decisions in found
        if decisions
    ]


def _approvals(user: Any, now: datetime) -> Iterator[Decision]:
    for item, _, absent in own_lines(user, now=now, most=SHOWN + 1):
        age = formatting.duration(now - item.asked_at)
        why = f": {item.reason}" if item.reason else ""
        place = f", and you decide for {absent}" if absent else ""
        detail = f"asked for by {item.asked_by} {age} ago{why}{place}"
        name = item.url.strip("/").replace("/", "-")
        yield Decision(name, "approve", "running", item.title, detail, item.url)


def _alerts(user: Any, now: datetime) -> Iterator[Decision]:
    critical = alerts.open_alerts().awake(now).filter(severity=Severity.CRITICAL)
    for alert in visible_to(user, critical)[: SHOWN + 1]:
        age = formatting.duration(now - alert.raised_at)
        url = links.url("alert", alert.pk)
        yield Decision(f"alert-{alert.pk}", "critical", "critical", alert.title, f"for {age}", url)


def _budgets(user: Any, organisation: Organisation, now: datetime) -> Iterator[Decision]:
    percent, zone = organisation.landing_warning_percent, ZoneInfo(organisation.reporting_zone)
    windows = visible_to(user, Window.objects.all())
    found = list(budgets_running_out(windows, percent=percent, now=now)[: SHOWN + 1])
    paces = learned_paces({window.scope for window in found}, now=now)
    for window in found:
        slug = window.scope.partition(":")[2]
        used, allowed = (
            formatting.quantity(number, unit=window.unit)
            for number in (window.used, window.allowed)
        )
        until = _until(window, paces.get(window.scope, {}), now=now).astimezone(zone)
        ends = window.ends_at.astimezone(zone)
        lasts = (
            "nothing is left"
            if window.used >= window.allowed
            else f"at this pace it lasts until {until.day} {until:%b %H:%M}"
        )
        yield Decision(
            f"window-{window.pk}",
            "budget",
            "warning",
            f"The budget of {slug} will not last",
            f"{used} of {allowed} used; {lasts}, and resets on {ends.day} {ends:%b %H:%M}",
            scope_url(window.scope) or "",
        )


def _until(window: Any, paces: Mapping[str, LearnedPace], *, now: datetime) -> datetime:
    """When the window is used up: by its run rate, if that says so before its end."""
    left, pace = window.allowed - window.used, paces.get(window.unit)
    out = pace and lasts(left, pace, now=now, until=window.ends_at)
    return out.at if out else lasts_until(window, now=now)


def _keys(user: Any) -> Iterator[Decision]:
    keys_out = ApiKey.objects.filter(status__in=_OUT, hidden_at=None).order_by("status", "slug")
    for key in visible_to(user, keys_out)[: SHOWN + 1]:
        tone: Any = "critical" if key.status == ApiKey.Status.BROKEN else "warning"
        title = f"The API key {key.slug} is {key.status}"
        url = links.url("key", key.pk)
        yield Decision(f"key-{key.pk}", "key", tone, title, key.status_reason, url)
