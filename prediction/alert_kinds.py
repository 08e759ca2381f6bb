"""The kinds of alerts about the pace of usage."""

from alerts.kinds import AlertKind, register
from alerts.models import Severity

LIMIT_RUNS_OUT = register(
    AlertKind(
        slug="limit_runs_out",
        severity=Severity.WARNING,
        meaning="At this pace, a limit of an API key, an agent or a cost centre will be exhausted "
        "before its reset. From then on, calls and new budgets are refused.",
        remedy="See on the page of the window who uses it. Lower the usage, raise the limit, or "
        "add another key. Butler tells this once in each window, and resolves the alert when the "
        "limit lasts until its reset or the window is over.",
        page="window",
        subject="window",
    )
)
