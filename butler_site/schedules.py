"""Jobs that run periodically: this list decides which schedules django-q2 has."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction
from django_q.models import Schedule

from keys import services as keys
from prediction import services as prediction

# Several processes may start at once; the advisory lock lets one of them change the rows.
_LOCK = 0x7363_6865
# Files of scheduled reports are made and sent one after the other.
REPORT_SECONDS_MAX = 1800


class Job(NamedTuple):
    """A function that django-q2 calls at an interval of `minutes`.

    It is ended after `seconds_max`; by default, after the time limit of the queue.
    """

    func: str
    minutes: int
    seconds_max: int | None = None


JOBS = (
    Job("keys.jobs.expire", 1),
    Job("keys.jobs.turn_windows", 1),
    Job("keys.jobs.watch_thresholds", 1),
    Job("keys.jobs.record_ended_grants", 1),
    Job("keys.jobs.rotate_stranded", 1),
    Job("keys.jobs.resume_rotations", 1),
    Job("keys.jobs.roll_up_usage", 15),
    Job("keys.jobs.check_books", 15, seconds_max=keys.BOOKS_CHECK_SECONDS_MAX),
    Job(
        "keys.jobs.partition_charges",
        1440,
        seconds_max=2 * int(keys.PARTITION_TIME.total_seconds()),
    ),
    Job("keys.jobs.refresh_catalogue", 1440),
    Job("alerts.jobs.end_snoozes", 1),
    Job("alerts.jobs.send_digests", 1),
    Job("alerts.jobs.escalate", 1),
    Job("alerts.jobs.retry_deliveries", 1),
    Job("alerts.jobs.evaluate_rules", 5),
    Job("orchestration.jobs.maintain_tasks", 1),
    Job("orchestration.jobs.delete_old_texts", 60),
    Job("orchestration.jobs.watch_forecasts", 1),
    Job("gate.jobs.watch_approvals", 1),
    Job("gate.jobs.watch_audit_chain", 1),
    Job("gate.jobs.keep_checkpoint", 60),
    Job("gate.jobs.send_checkpoint", 1440),
    Job("gate.jobs.watch_findings", 60),
    Job("gate.jobs.watch_access_reviews", 60),
    Job("gateway.jobs.probe_keys", 1),
    Job("gateway.jobs.forget_expired", 60),
    Job("dashboard.jobs.resume_exports", 1),
    Job("dashboard.jobs.send_reports", 1, seconds_max=REPORT_SECONDS_MAX),
    Job("treasury.jobs.expire_pending_transfers", 1),
    Job("treasury.jobs.expire_x402_payments", 1),
    Job("treasury.jobs.post_consumption", 5, seconds_max=600),
    Job("treasury.jobs.adjust_approved", 5),
    Job("treasury.jobs.fetch_rail_statements", 60, seconds_max=600),
    Job("treasury.jobs.match_rail_statements", 60, seconds_max=600),
    Job("treasury.jobs.fetch_reports", 60, seconds_max=1800),
    Job("treasury.jobs.take_balances", 15, seconds_max=600),
    Job("treasury.jobs.watch_credit", 15),
    Job("treasury.jobs.watch_transit", 60),
    Job("treasury.jobs.keep_caps", 60, seconds_max=600),
    Job("treasury.jobs.carry_on_purchases", 1, seconds_max=600),
    Job("treasury.jobs.read_events", 1, seconds_max=600),
    Job("treasury.jobs.carry_on_collections", 1, seconds_max=600),
    Job("treasury.jobs.carry_on_refunds", 1, seconds_max=600),
    Job("treasury.jobs.carry_on_payouts", 1, seconds_max=600),
    Job("reports.jobs.delete_expired_exports", 60),
    Job("reports.jobs.find_savings", 1440, seconds_max=1_200),
    Job("reports.jobs.evaluate_experiments", 60, seconds_max=1_200),
    Job("prediction.jobs.record_settled_work", 5),
    Job("prediction.jobs.learn_paces", 60, seconds_max=600),
    Job("prediction.jobs.watch_limits", 5),
    Job("prediction.jobs.watch_calls", 5),
    Job("prediction.jobs.watch_usage", 60),
    Job("prediction.jobs.train", 360, seconds_max=2 * prediction.TRAINING_SECONDS_MAX),
)


class Changes(NamedTuple):
    """How many schedules were added, changed and removed."""

    added: int
    changed: int
    removed: int


@transaction.atomic
def install(*, now: datetime, jobs: tuple[Job, ...] = JOBS) -> Changes:
    """Add, change and remove schedules to match `jobs`; the first run of a new one is at `now`.

    Only schedules named `butler: <function>` are touched. Calling it again changes nothing: a
    schedule that exists keeps its next run.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    by_name = {f"butler: {job.func}": job for job in jobs}
    existing = Schedule.objects.filter(name__startswith="butler: ")
    removed, _ = existing.exclude(name__in=by_name).delete()
    schedules = {schedule.name: schedule for schedule in existing}
    missing = [name for name in by_name if name not in schedules]
    Schedule.objects.bulk_create(
        Schedule(name=name, next_run=now, **_columns(by_name[name])) for name in missing
    )
    changed = [row for name, row in schedules.items() if _update(row, by_name[name])]
    return Changes(len(missing), len(changed), removed)


def _columns(job: Job) -> dict[str, object]:
    options = {"q_options": {"timeout": job.seconds_max}}
    return {
        "func": job.func,
        "schedule_type": Schedule.MINUTES,
        "minutes": job.minutes,
        "repeats": -1,
        "kwargs": repr(options) if job.seconds_max else None,
    }


def _update(schedule: Schedule, job: Job) -> bool:
    """Make the schedule match the job; True if it did not. A stopped one (repeats 0) runs again."""
    columns = _columns(job)
    if all(getattr(schedule, column) == value for column, value in columns.items()):
        return False
    for column, value in columns.items():
        setattr(schedule, column, value)
    schedule.save(update_fields=columns)
    return True
