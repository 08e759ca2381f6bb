"""Rotate every session of an API key in a job, which says how far it is."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django_q.tasks import async_task

from keys.books.services.rotate import rotate
from keys.models import Allocation, ApiKey, RotationRun
from keys.reasons import check_reason
from keys.refusals import AllocationClosed, RotationRefused
from security.actor import Actor

_JOB = "keys.jobs.rotate_sessions"
_JOB_SECONDS = 1800
_ATTEMPTS_MAX = 3
# A job that says nothing for so long is taken for dead. It says something after each session.
_SILENCE = timedelta(minutes=2)
_REFUSALS_KEPT = 20
_KEPT = timedelta(days=90)
_Status = RotationRun.Status


@transaction.atomic(durable=True)
def ask_rotation(
    api_key: ApiKey, *, reason: str, actor: Actor, now: datetime
) -> tuple[RotationRun, bool]:
    """Have a job move all live allocations of the key to other keys.

    Returns the run and whether it is new: while one is under way, it is the run. No refusals.
    Refusals: WrongValue.
    """
    check_reason(reason)
    ApiKey.objects.select_for_update(no_key=True).get(pk=api_key.pk)
    if running := RotationRun.objects.unfinished().filter(api_key=api_key).first():
        return running, False
    RotationRun.objects.filter(api_key=api_key, created_at__lt=now - _KEPT).delete()
    run = RotationRun.objects.create(
        api_key=api_key,
        reason=reason[:300],
        asked_by=actor.name,
        asked_by_kind=actor.kind,
        sessions=_live(api_key.pk, now=now).count(),
    )
    _enqueue(run.pk)
    return run, True


def rotate_sessions(run_id: int, *, clock: Callable[[], datetime]) -> None:
    """Rotate the sessions of a run, one after the other, unless another job does or has done it.

    May be killed at any moment: `resume_rotations` has another job go on with what is left.
    """
    run = _claim(run_id, now=clock())
    if run is None:
        return
    for allocation in list(_live(run.api_key_id, now=clock()).order_by("pk")):
        _rotate(run, allocation, now=clock())
        if not _note(run, status=_Status.RUNNING, now=clock()):
            return
    _note(run, status=_Status.DONE, now=clock())


@transaction.atomic(durable=True)
def resume_rotations(*, now: datetime) -> int:
    """Start runs again whose jobs are silent, and stop those that were tried too often.

    Returns how many are started again.
    """
    silent = RotationRun.objects.filter(status=_Status.RUNNING, progressed_at__lte=now - _SILENCE)
    silent.filter(attempts__gte=_ATTEMPTS_MAX).update(status=_Status.STOPPED)
    pks = list(silent.select_for_update(no_key=True).values_list("pk", flat=True))
    RotationRun.objects.filter(pk__in=pks).update(status=_Status.QUEUED)
    for pk in pks:
        _enqueue(pk)
    return len(pks)


def _claim(run_id: int, *, now: datetime) -> RotationRun | None:
    claimed = RotationRun.objects.filter(pk=run_id, status=_Status.QUEUED).update(
        status=_Status.RUNNING, attempts=F("attempts") + 1, progressed_at=now
    )
    if not claimed:
        return None
    run = RotationRun.objects.get(pk=run_id)
    # Those that stayed before are tried again.
    run.stayed, run.refusals = 0, []
    run.sessions = run.moved + _live(run.api_key_id, now=now).count()
    return run


def _rotate(run: RotationRun, allocation: Allocation, *, now: datetime) -> None:
    try:
        rotate(allocation=allocation, reason=run.reason, actor=run.actor, now=now)
    except RotationRefused as refusal:
        run.stayed += 1
        if len(run.refusals) < _REFUSALS_KEPT:
            run.refusals.append({"session": allocation.session_id, "why": refusal.detail})
    except AllocationClosed:
        # It ended before its turn came.
        run.sessions -= 1
    else:
        run.moved += 1


def _note(run: RotationRun, *, status: RotationRun.Status, now: datetime) -> bool:
    """Write down how far the run is; False if another job has taken it over."""
    own = RotationRun.objects.filter(pk=run.pk, status=_Status.RUNNING, attempts=run.attempts)
    return bool(
        own.update(
            status=status,
            sessions=run.sessions,
            moved=run.moved,
            stayed=run.stayed,
            refusals=run.refusals,
            progressed_at=now,
        )
    )


def _live(slug: str, *, now: datetime) -> QuerySet[Allocation]:
    return Allocation.objects.filter(api_key=slug, status="active", expires_at__gt=now)


def _enqueue(run_id: int) -> None:
    """A failed entry is acknowledged, because `resume_rotations` is what tries again."""
    async_task(_JOB, run_id, group="rotations", timeout=_JOB_SECONDS, ack_failure=True)
