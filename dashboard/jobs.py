"""The jobs of the dashboard, called by django-q2."""

from django.utils import timezone

# The pages register the builders of their tables.
from dashboard import exports, urls  # noqa: F401
from dashboard.exports.scheduled import send_run
from reports import services as reports


def make_export(file_id: int) -> None:
    """Once, when a person asks for a file that is too large for a request: make it."""
    if file := reports.claim_export(file_id, now=timezone.now()):
        exports.make(file)


def resume_exports() -> int:
    """Every minute: files whose job died are made again; returns how many."""
    return reports.resume_exports(job=exports.JOB, now=timezone.now())


def send_reports() -> int:
    """Every minute: open runs of scheduled reports that are due, and send what waits; returns how
    many runs were sent."""
    reports.open_due_runs(now=timezone.now())
    found = reports.runs_to_send(now=timezone.now())
    claimed = (reports.claim_run(run, now=timezone.now()) for run in found)
    return sum(send_run(run, clock=timezone.now) for run in claimed if run)
