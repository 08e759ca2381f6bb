"""What the page of one alert shows."""

from datetime import datetime
from typing import Any

from alerts import queries as alerts
from alerts.models import Alert
from common import links
from common.admin.visible_rows import visible_to
from dashboard.alerts.inbox import InboxQuery, kind_words, times_of
from dashboard.alerts.remedies import PERMISSIONS, remedy_for
from keys.books.queries.pages import latest_history
from security.audit_changes import changes

_SHOWN = 10


def detail(user: Any, alert: Alert, *, now: datetime) -> dict[str, Any]:
    """The context of the page, as far as the person may see its parts."""
    stage = alert.stage_at(now)
    before = visible_to(user, alerts.alerts_before(alert))
    context: dict[str, Any] = {
        "alert": alert,
        "stage": stage,
        "kind_title": kind_words(alert.kind),
        "times": times_of(alert),
        "remedy": remedy_for(user, alert),
        "concerns": [_concern(user, subject) for subject in alert.concerns],
        "before": before[:_SHOWN],
        "inbox_url": InboxQuery(stage).url(),
        "kind_url": InboxQuery("resolved", kind=alert.kind).url(),
    }
    if user.has_perm("alerts.view_notification"):
        context["notifications"] = alerts.deliveries().filter(alert=alert)[:_SHOWN]
    if user.has_perm("security.view_auditentry"):
        entries = latest_history(about=alert.address, most=_SHOWN)
        context["history"] = [{"entry": entry, "changes": changes(entry)} for entry in entries]
    return context


def _concern(user: Any, subject: str) -> tuple[str, str, str]:
    """What the alert is about: the kind of row, its name, and its page if they may open it."""
    kind, _, name = subject.partition(":")
    url = links.url(kind, name) if user.has_perm(PERMISSIONS[kind]) else ""
    return kind.capitalize(), name, url
