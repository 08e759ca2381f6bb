"""Ask for a file, make it in a job, delete it after a week."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, QuerySet
from django_q.tasks import async_task

from reports.audit_actions import Action
from reports.models import ExportFile, ExportPart
from reports.refusals import TooManyExports
from security import audit
from security.actor import Actor

KEPT = timedelta(days=7)
OPEN_MAX = 3
ATTEMPTS_MAX = 3
# A job that says nothing for so long is taken for dead. It says something every few seconds.
SILENCE = timedelta(minutes=2)
JOB_SECONDS = 1800
_TRIED_TOO_OFTEN = "The file could not be made. Choose fewer rows, and ask for it again."


class ExportRequest(NamedTuple):
    """Which file is asked for, and the bindings under which its owner sees rows.

    `job` is the path of the function that makes it, called with the id of the file.
    """

    table: str
    path: str
    query: str
    file_format: str
    rows_expected: int
    centres: list[str]
    job: str


@transaction.atomic(durable=True)
def ask_export(
    request: ExportRequest, *, owner: User, actor: Actor, now: datetime
) -> tuple[ExportFile, bool]:
    """The file, and whether it is new: one that is being made is not made twice.

    Refusals: TooManyExports.
    """
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    wanted = {
        "table": request.table,
        "query": request.query,
        "file_format": request.file_format,
        "owner": owner,
    }
    unfinished = ExportFile.objects.unfinished()
    if earlier := unfinished.filter(**wanted).first():
        return earlier, False
    if unfinished.filter(owner=owner).count() >= OPEN_MAX:
        raise TooManyExports(open_max=OPEN_MAX)
    file = ExportFile.objects.create(
        **wanted,
        path=request.path,
        centres=request.centres,
        rows_expected=request.rows_expected,
        created_at=now,
        expires_at=now + KEPT,
    )
    audit.record(
        actor=actor,
        action=Action.EXPORT_CREATE,
        subject=f"export_file:{file.pk}",
        after={"table": file.table, "query": file.query, "format": file.file_format},
        at=now,
    )
    _enqueue(file.pk, request.job)
    return file, True


def claim_export(file_id: int, *, now: datetime) -> ExportFile | None:
    """Start to make the file; None if it is made already, or another job makes it."""
    claimed = ExportFile.objects.filter(pk=file_id, status=ExportFile.Status.QUEUED).update(
        status=ExportFile.Status.RUNNING, attempts=F("attempts") + 1, rows=0, progressed_at=now
    )
    return ExportFile.objects.get(pk=file_id) if claimed else None


def note_progress(file: ExportFile, *, rows: int, now: datetime) -> None:
    """Say that the job lives and how many rows it has written."""
    _own(file).update(rows=rows, progressed_at=now)


@transaction.atomic(durable=True)
def store_export(file: ExportFile, parts: Iterable[bytes], *, rows: int, now: datetime) -> bool:
    """Store the file that is made; False if another job has taken it over."""
    if not _own(file).update(
        status=ExportFile.Status.READY, rows=rows, made_at=now, expires_at=now + KEPT
    ):
        return False
    size = 0
    for number, content in enumerate(parts):
        ExportPart.objects.create(file=file, number=number, content=content)
        size += len(content)
    ExportFile.objects.filter(pk=file.pk).update(size=size)
    return True


def fail_export(file: ExportFile, *, error: str) -> None:
    """Give the file up, and say why."""
    _own(file).update(status=ExportFile.Status.FAILED, error=error)


@transaction.atomic(durable=True)
def resume_exports(*, job: str, now: datetime) -> int:
    """Start files again whose jobs are silent, and give up those that were tried too often.

    Returns how many are started again.
    """
    silent = ExportFile.objects.filter(
        status=ExportFile.Status.RUNNING, progressed_at__lte=now - SILENCE
    )
    silent.filter(attempts__gte=ATTEMPTS_MAX).update(
        status=ExportFile.Status.FAILED, error=_TRIED_TOO_OFTEN
    )
    pks = list(silent.select_for_update(no_key=True).values_list("pk", flat=True))
    ExportFile.objects.filter(pk__in=pks).update(status=ExportFile.Status.QUEUED)
    for pk in pks:
        _enqueue(pk, job)
    return len(pks)


def delete_expired_exports(*, now: datetime) -> int:
    """Delete files that are a week old; returns how many."""
    return ExportFile.objects.filter(expires_at__lte=now).delete()[1].get("reports.ExportFile", 0)


def _own(file: ExportFile) -> QuerySet[ExportFile]:
    """The file, as long as the job that claimed it is the last one that did."""
    return ExportFile.objects.filter(
        pk=file.pk, status=ExportFile.Status.RUNNING, attempts=file.attempts
    )


def _enqueue(file_id: int, job: str) -> None:
    """A failed entry is acknowledged, because `resume_exports` is what tries again."""
    async_task(job, file_id, group="exports", timeout=JOB_SECONDS, ack_failure=True)
