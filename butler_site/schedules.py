"""What runs again and again: the schedules of django-q2, kept as this list says."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction
from django_q.models import Schedule

# Any number of processes may start at once; the lock lets one change the rows.
_LOCK = 0x7363_6865


class Job(NamedTuple):
    """A function that django-q2 calls every so many minutes."""

    func: str
    minutes: int


JOBS = (
    Job("keys.jobs.expire", 1),
    Job("keys.jobs.turn_windows", 1),
    Job("keys.jobs.rotate_stranded", 1),
    Job("alerts.jobs.retry_deliveries", 1),
    Job("orchestration.jobs.look_after", 1),
    Job("gateway.jobs.forget_expired", 60),
)


class Changes(NamedTuple):
    """How many schedules were added, changed and removed."""

    added: int
    changed: int
    removed: int


@transaction.atomic
def install(*, now: datetime, jobs: tuple[Job, ...] = JOBS) -> Changes:
    """Make the schedules what the list says; the first run of a new one is at `now`.

    Its schedules are named `butler: <function>`; others are not touched. Twice is once: one that
    stands keeps its next run.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    wanted = {f"butler: {job.func}": job for job in jobs}
    standing = Schedule.objects.filter(name__startswith="butler: ")
    removed, _ = standing.exclude(name__in=wanted).delete()
    found = {schedule.name: schedule for schedule in standing}
    missing = [name for name in wanted if name not in found]
    Schedule.objects.bulk_create(
        Schedule(name=name, next_run=now, **_columns(wanted[name])) for name in missing
    )
    changed = [schedule for name, schedule in found.items() if _apply(schedule, wanted[name])]
    return Changes(len(missing), len(changed), removed)


def _columns(job: Job) -> dict[str, object]:
    return {
        "func": job.func,
        "schedule_type": Schedule.MINUTES,
        "minutes": job.minutes,
        "repeats": -1,
    }


def _apply(schedule: Schedule, job: Job) -> bool:
    """Bring a schedule in line; whether it was out of it. A stopped one (repeats 0) runs again."""
    wanted = _columns(job)
    if all(getattr(schedule, column) == value for column, value in wanted.items()):
        return False
    for column, value in wanted.items():
        setattr(schedule, column, value)
    schedule.save(update_fields=wanted)
    return True
