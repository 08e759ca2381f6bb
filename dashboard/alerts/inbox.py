"""What the inbox lists: the alerts at one stage, by kind and subject."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db.models import QuerySet

from alerts import queries as alerts
from alerts.models import Alert, Severity
from common import links
from common.admin.visible_rows import visible_to
from dashboard.alerts.remedies import Remedy, remedy_for

PAGE_ALERTS = 50
# How often the same was raised is counted for so long.
RECENTLY = timedelta(days=30)
# So many resolved alerts are counted for their tab.
_RESOLVED_COUNTED = 1_000
_AFTER_DIGITS_MAX = 6


@dataclass(frozen=True)
class InboxQuery:
    """What the query parameters `stage`, `kind`, `severity` and `after` ask for."""

    stage: str = Alert.Stage.OPEN.value
    kind: str = ""
    severity: str = ""
    after: int = 0

    def url(self, **changes: str) -> str:
        """The inbox as asked for, with changes, from its first alert."""
        asked = {"stage": self.stage, "kind": self.kind, "severity": self.severity} | changes
        query = {name: value for name, value in asked.items() if value}
        return f"{links.url('alerts')}?{urlencode(query)}"


class AlertLine(NamedTuple):
    """An alert, how often it happened, how often the same was raised lately, and its button."""

    alert: Alert
    times: int
    recently: int
    remedy: Remedy | None


class KindGroup(NamedTuple):
    """Listed alerts of one kind; those about the same subject follow each other."""

    title: str
    url: str
    lines: Sequence[AlertLine]

    @property
    def about(self) -> Alert:
        """One of the alerts, for what they have in common."""
        return self.lines[0].alert


@dataclass(frozen=True)
class Tab:
    """A stage with the number of its alerts, as `3` or `1,000+`."""

    stage: str
    title: str
    url: str
    count: str


def kind_words(kind: str) -> str:
    """The slug of a kind in words: `Key no credit`."""
    return kind.replace("_", " ").capitalize()


def inbox_query(query: Mapping[str, str]) -> InboxQuery:
    """What the query parameters ask for; what cannot be read is left out."""
    stage, severity = query.get("stage", ""), query.get("severity", "")
    after = query.get("after", "")
    is_number = after.isascii() and after.isdigit() and len(after) <= _AFTER_DIGITS_MAX
    return InboxQuery(
        stage=stage if stage in Alert.Stage.values else Alert.Stage.OPEN.value,
        kind=query.get("kind", ""),
        severity=severity if severity in Severity.values else "",
        after=int(after) if is_number else 0,
    )


def inbox(user: Any, asked: InboxQuery, *, now: datetime) -> dict[str, Any]:
    """The context of the list; five queries, however many alerts there are."""
    found = list(listed(user, asked, now=now)[asked.after : asked.after + PAGE_ALERTS + 1])
    shown = found[:PAGE_ALERTS]
    return {
        "asked": asked,
        "kind_title": kind_words(asked.kind),
        "any_kind_url": asked.url(kind=""),
        "any_severity_url": asked.url(severity=""),
        "tabs": tabs(user, asked, now=now),
        "groups": groups(user, asked, shown, now=now),
        "shown_count": len(shown),
        "has_more": len(found) > PAGE_ALERTS,
        "has_alerts": bool(shown) or visible_to(user, Alert.objects.all()).exists(),
        "now": now,
    }


def listed(user: Any, asked: InboxQuery, *, now: datetime) -> QuerySet[Alert]:
    """The alerts that the person may see of those asked for: the worst first, or resolved last."""
    is_resolved = asked.stage == Alert.Stage.RESOLVED
    rows = Alert.objects.order_by("-resolved_at", "-pk") if is_resolved else alerts.open_alerts()
    return visible_to(user, rows.at_stage(asked.stage, now).filter(**_filters(asked)))


def tabs(user: Any, asked: InboxQuery, *, now: datetime) -> list[Tab]:
    """How many alerts there are at each stage. Two queries."""
    rows = visible_to(user, Alert.objects.filter(**_filters(asked)))
    resolved = rows.filter(resolved_at__isnull=False).values("pk")[: _RESOLVED_COUNTED + 1].count()
    counts = {
        **{stage: f"{count:,}" for stage, count in alerts.stage_counts(rows, now=now).items()},
        "resolved": f"{resolved:,}" if resolved <= _RESOLVED_COUNTED else f"{_RESOLVED_COUNTED:,}+",
    }
    return [
        Tab(stage.value, stage.label, asked.url(stage=stage.value), counts[stage.value])
        for stage in Alert.Stage
    ]


def _filters(asked: InboxQuery) -> dict[str, str]:
    wanted = {"kind": asked.kind, "severity": asked.severity}
    return {name: value for name, value in wanted.items() if value}


def times_of(alert: Alert) -> int:
    """How often it happened since the alert was raised, as far as Butler counts that."""
    times = alert.facts.get("times")
    return times if isinstance(times, int) else 1


def groups(
    user: Any, asked: InboxQuery, shown: Sequence[Alert], *, now: datetime
) -> list[KindGroup]:
    """The alerts by kind, and in a kind by subject, each in the order of its first one."""
    raised = alerts.times_raised(shown, since=now - RECENTLY)
    by_kind: dict[str, dict[str, list[AlertLine]]] = {}
    for alert in shown:
        recently = raised.get(alert.dedup_key, 0)
        line = AlertLine(alert, times_of(alert), recently, remedy_for(user, alert))
        subjects = by_kind.setdefault(alert.kind, {})
        subjects.setdefault(alert.subject, []).append(line)
    return [
        KindGroup(kind_words(kind), asked.url(kind=kind), _flat(subjects.values()))
        for kind, subjects in by_kind.items()
    ]


def _flat(lines: Iterable[list[AlertLine]]) -> list[AlertLine]:
    return [line for each in lines for line in each]
