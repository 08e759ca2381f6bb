"""What follows when a call would send one of Butler's own secrets.

Findings belong to an app above the gateway, which registers its service here.
"""

from datetime import datetime
from typing import Protocol

from security.actor import Actor


class ReportLeak(Protocol):
    """Record that the secret of `subject` was found at `path`, and do what must follow at once."""

    def __call__(
        self, subject: str, *, path: str, line: int, actor: Actor, now: datetime
    ) -> object: ...


_reports: list[ReportLeak] = []


def register(report: ReportLeak) -> None:
    """Have `report` called for each leak, in a thread and outside of transactions."""
    _reports.append(report)


def report_leak(subject: str, *, agent: str, actor: Actor, now: datetime) -> None:
    """Report that a call of the agent had the secret of `subject` in it."""
    for report in _reports:
        report(subject, path=f"a call of the agent {agent}", line=1, actor=actor, now=now)
