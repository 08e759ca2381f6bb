"""Import the reports of providers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256

from django.db import transaction

from common.bulk_copy import copy_rows
from common.file_text import UnreadableError
from keys.models import Provider
from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.models import ProviderReport, ReportLine
from treasury.reconciliation.lines import Line
from treasury.reconciliation.reports import read_lines
from treasury.refusals import ReportUnreadable


@dataclass(frozen=True, kw_only=True)
class ReportFile:
    """A report as it came. `format`: one of `treasury.reconciliation.reports.FORMATS`. `columns`:
    the heading of each field of a CSV file that has another name there."""

    provider: str
    format: str
    content: bytes
    columns: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


def import_report(
    file: ReportFile,
    *,
    fetched_at: datetime | None = None,
    days: tuple[date, date] | None = None,
    actor: Actor,
    now: datetime,
) -> tuple[ProviderReport, bool]:
    """Keep a report and its lines, all or none; returns it and whether it is new.

    The same bytes are the same report. `fetched_at`: when the provider gave it, if not now. `days`:
    the first and last that it was asked for, if that is known: then it may have no lines.
    Refusals: ReportUnreadable.
    """
    if not Provider.objects.filter(pk=file.provider).exists():
        raise ReportUnreadable(f"There is no provider named {file.provider}.")
    try:
        lines = read_lines(file.content, format_name=file.format, columns=file.columns)
    except UnreadableError as error:
        raise ReportUnreadable(str(error)) from None
    if days is None:
        if not lines:
            raise ReportUnreadable("The file has no lines.")
        days = min(line.day for line in lines), max(line.day for line in lines)
    return _keep(file, lines, days, fetched_at=fetched_at or now, actor=actor, now=now)


@transaction.atomic(durable=True)
def _keep(
    file: ReportFile,
    lines: list[Line],
    days: tuple[date, date],
    *,
    fetched_at: datetime,
    actor: Actor,
    now: datetime,
) -> tuple[ProviderReport, bool]:
    report, is_new = ProviderReport.objects.get_or_create(
        provider_id=file.provider,
        format=file.format,
        digest=sha256(file.content).digest(),
        defaults={
            "columns": dict(file.columns),
            "since": days[0],
            "until": days[1],
            "content": file.content,
            "line_count": len(lines),
            "file_name": file.name[:200],
            "fetched_at": fetched_at,
            "imported_by": str(actor),
            "imported_at": now,
        },
    )
    if is_new:
        rows = ((report.pk, position, *line) for position, line in enumerate(lines, 1))
        copy_rows(ReportLine, ("report_id", "position", *Line._fields), rows)
        audit.record(
            actor=actor,
            action=Action.REPORT_IMPORT,
            subject=f"provider_report:{report.pk}",
            after={"provider": file.provider, "format": file.format, "lines": len(lines)},
            at=now,
        )
    return report, is_new
