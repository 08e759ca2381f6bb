"""The rail: the pages that a person may open, and how much waits for them there."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils import timezone

from alerts.models import Alert
from common import links
from common.admin.visible_rows import visible_to
from dashboard.approvals.inbox import own_count
from security.deciders import may_see_approvals


class Entry(NamedTuple):
    """A line of the rail: its icon, its page (`common.links`) and the permission to see it, or, in
    place of that, who else may; `also`: pages that belong to it, at addresses of their own."""

    title: str
    icon: str
    kind: str
    permission: str = ""
    waiting: Callable[[Any], int] | None = None
    opens: Callable[[Any], bool] | None = None
    also: tuple[str, ...] = ()

    def is_for(self, user: Any) -> bool:
        """Whether the user may open the page."""
        if self.opens:
            return self.opens(user)
        return not self.permission or user.has_perm(self.permission)


def _has_inbox(user: Any) -> bool:
    return may_see_approvals(user, now=timezone.now())


def _approvals(user: Any) -> int:
    return own_count(user, now=timezone.now())


def _alerts(user: Any) -> int:
    return visible_to(user, Alert.objects.at_stage("open", timezone.now())).count()


MAIN = (
    Entry("Overview", "layout-dashboard", "overview"),
    Entry("Spend", "chart-column", "spend", "keys.view_charge", also=("charges",)),
    Entry("Budgets", "wallet", "budgets", "keys.view_window", also=("ask_budget",)),
    Entry("Keys", "key-round", "keys", "keys.view_apikey", also=("import_keys", "key_tests")),
    Entry("Agents", "bot", "agents", "keys.view_agent"),
    Entry("Tasks", "list-checks", "tasks", "orchestration.view_task"),
    Entry("Approvals", "badge-check", "approvals", waiting=_approvals, opens=_has_inbox),
    Entry("Alerts", "bell", "alerts", "alerts.view_alert", _alerts),
    Entry("Treasury", "landmark", "treasury", "treasury.view_account"),
    Entry("Reports", "file-text", "reports", also=("savings", "import_usage")),
)
SMALL = (
    Entry("Security", "shield", "findings", "gate.view_finding"),
    Entry("Audit", "scroll-text", "audit_entries", "security.view_auditentry"),
    Entry("Who may what", "user", "access", "auth.view_user"),
    Entry("Settings", "settings", "settings"),
    Entry("Admin", "wrench", "admin"),
)


class Line(NamedTuple):
    """An entry as the page shows it."""

    title: str
    icon: str
    url: str
    is_current: bool
    waiting: int


def lines(request: HttpRequest, entries: tuple[Entry, ...]) -> list[Line]:
    """Those of `entries` that the person of the request may open."""
    return [_line(request, entry) for entry in entries if entry.is_for(request.user)]


def _line(request: HttpRequest, entry: Entry) -> Line:
    url = links.url(entry.kind)
    pages = (url, *map(links.url, entry.also))
    is_overview = entry.kind == "overview"
    is_current = request.path == url if is_overview else request.path.startswith(pages)
    waiting = entry.waiting(request.user) if entry.waiting else 0
    return Line(entry.title, entry.icon, url, is_current, waiting)
