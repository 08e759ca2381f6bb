"""Scheduled reports: keep them, open a run when one is due, and record what was sent."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Q

from keys.identity.queries.organisation import organisation
from reports.audit_actions import Action
from reports.models import ReportDelivery, ReportRun, ReportSchedule
from reports.refusals import ViewNameTaken
from reports.schedule_times import latest_time, next_time
from security import audit
from security.actor import Actor

# A job that says nothing for so long is taken for dead.
SILENCE = timedelta(minutes=5)
ATTEMPTS_MAX, RUN_ATTEMPTS_MAX = 3, 10


@transaction.atomic(durable=True)
def add_schedule(
    *,
    owner: User,
    persons: Iterable[User],
    terms: dict[str, Any],
    actor: Actor,
    now: datetime,
) -> ReportSchedule:
    """Send a report from now on. `terms`: the fields of its row. Refusals: ViewNameTaken."""
    schedule = ReportSchedule(owner=owner, **terms)
    schedule.next_at = _next(schedule, now)
    _save(schedule)
    schedule.persons.set(persons)
    after = {"name": schedule.name, "table": schedule.table, "persons": _names(schedule)}
    _record(Action.SCHEDULE_ADD, schedule, actor=actor, now=now, after=after)
    return schedule


@transaction.atomic(durable=True)
def change_schedule(
    schedule: ReportSchedule,
    *,
    persons: Iterable[User],
    terms: dict[str, Any],
    actor: Actor,
    now: datetime,
) -> ReportSchedule:
    """Send it with other terms, or to others, from now on; what is being sent stays as it began.

    The same terms again are no change. Refusals: ViewNameTaken.
    """
    row = ReportSchedule.objects.select_for_update(of=("self",)).get(pk=schedule.pk)
    before, times = _audited(row), _terms(row)
    for name, value in terms.items():
        setattr(row, name, value)
    if _terms(row) != times:
        row.next_at = _next(row, now)
    _save(row)
    row.persons.set(persons)
    if (after := _audited(row)) != before:
        changed = [name for name in after if after[name] != before[name]]
        _record(
            Action.SCHEDULE_CHANGE,
            row,
            actor=actor,
            now=now,
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
        )
    return row


def _save(schedule: ReportSchedule) -> None:
    try:
        with transaction.atomic():
            schedule.save()
    except IntegrityError as error:
        if "reportschedule_once_per_owner_and_name" not in str(error):
            raise
        raise ViewNameTaken(name=schedule.name) from None


def _audited(schedule: ReportSchedule) -> dict[str, object]:
    """What the audit says of it: its terms, and who gets it."""
    query = f"?{schedule.query}" if schedule.query else ""
    return {
        "name": schedule.name,
        "report": f"{schedule.path}{query}",
        "file_format": schedule.file_format,
        "frequency": schedule.frequency,
        "on_day": schedule.on_day,
        "hour": schedule.hour,
        "zone": schedule.zone,
        "persons": _names(schedule),
        "channel": schedule.channel.name if schedule.channel else "",
    }


@transaction.atomic(durable=True)
def pause_schedule(schedule: ReportSchedule, *, actor: Actor, now: datetime) -> None:
    """Send nothing until it is resumed."""
    if ReportSchedule.objects.filter(pk=schedule.pk, paused_at=None).update(paused_at=now):
        _record(Action.SCHEDULE_PAUSE, schedule, actor=actor, now=now)


@transaction.atomic(durable=True)
def resume_schedule(schedule: ReportSchedule, *, actor: Actor, now: datetime) -> None:
    """Send it again from the next moment on; what was missed is not made up for."""
    changes = {"paused_at": None, "next_at": _next(schedule, now)}
    paused = ReportSchedule.objects.filter(pk=schedule.pk, paused_at__isnull=False)
    if paused.update(**changes):
        _record(Action.SCHEDULE_RESUME, schedule, actor=actor, now=now)


@transaction.atomic(durable=True)
def delete_schedule(schedule: ReportSchedule, *, actor: Actor, now: datetime) -> None:
    """Delete it with its history of runs; the audit keeps that it was there."""
    _record(Action.SCHEDULE_DELETE, schedule, actor=actor, now=now, before={"name": schedule.name})
    schedule.delete()


@transaction.atomic(durable=True)
def run_schedule(schedule: ReportSchedule, *, actor: Actor, now: datetime) -> ReportRun:
    """Send it now, besides its schedule."""
    _record(Action.SCHEDULE_RUN, schedule, actor=actor, now=now)
    return _open(schedule, due_at=now, asked_by=str(actor))


@transaction.atomic(durable=True)
def test_schedule(schedule: ReportSchedule, *, actor: Actor, now: datetime) -> ReportRun:
    """Send it now, to its owner alone."""
    run = ReportRun.objects.create(schedule=schedule, due_at=now, asked_by=str(actor), is_test=True)
    ReportDelivery.objects.create(run=run, person=schedule.owner)
    return run


def open_due_runs(*, now: datetime) -> int:
    """Open a run of each schedule that is due; returns how many.

    One of several processes does it: the next moment is the condition of its own change, in the
    transaction that writes the run. Of several missed moments, the latest has a run.
    """
    due = ReportSchedule.objects.filter(paused_at=None, next_at__lte=now)
    return sum(_open_due(schedule, now) for schedule in due)


@transaction.atomic(durable=True)
def _open_due(schedule: ReportSchedule, now: datetime) -> bool:
    seen = ReportSchedule.objects.filter(pk=schedule.pk, next_at=schedule.next_at, paused_at=None)
    # Its terms are those of the moment: its owner may have changed them since it was found.
    locked = seen.select_for_update(of=("self",)).first()
    if locked is None:
        return False
    schedule, since = locked, locked.next_at
    seen.update(next_at=_next(schedule, now))
    due_at = latest_time(*_times(schedule), zone=_zone(schedule), since=since, now=now)
    _open(schedule, due_at=due_at, asked_by="")
    return True


def _open(schedule: ReportSchedule, *, due_at: datetime, asked_by: str) -> ReportRun:
    run = ReportRun.objects.create(schedule=schedule, due_at=due_at, asked_by=asked_by)
    rows = [ReportDelivery(run=run, person=person) for person in schedule.persons.all()]
    if schedule.channel:
        rows.append(ReportDelivery(run=run, channel=schedule.channel))
    ReportDelivery.objects.bulk_create(rows)
    return run


def runs_to_send(*, now: datetime) -> list[int]:
    """The runs that wait for a job or whose job is silent; gives up what was tried too often."""
    free = ReportRun.objects.filter(_is_free(now))
    free.filter(attempts__gte=RUN_ATTEMPTS_MAX).update(
        status=ReportRun.Status.FAILED, ended_at=now, error="It was tried too often."
    )
    return list(free.order_by("due_at").values_list("pk", flat=True))


def _is_free(now: datetime) -> Q:
    silent = Q(status=ReportRun.Status.RUNNING, claimed_at__lte=now - SILENCE)
    return Q(status=ReportRun.Status.QUEUED) | silent


def claim_run(run_id: int, *, now: datetime) -> ReportRun | None:
    """Take a run; None if another job has it. One conditional UPDATE says who won."""
    free = ReportRun.objects.filter(_is_free(now), pk=run_id)
    if not free.update(status=ReportRun.Status.RUNNING, claimed_at=now, attempts=F("attempts") + 1):
        return None
    return ReportRun.objects.select_related("schedule__owner", "schedule__channel").get(pk=run_id)


def record_file(run: ReportRun, *, rows: int, size: int, total: str) -> None:
    """Record what the file of a run has."""
    _own(run).update(rows=rows, size=size, total=total[:200])


def fail_run(run: ReportRun, *, error: str, now: datetime) -> None:
    """Give the run up, and say why: nothing of it is sent."""
    if _own(run).update(status=ReportRun.Status.FAILED, ended_at=now, error=error):
        run.deliveries.exclude(status=ReportDelivery.Status.SENT).update(
            status=ReportDelivery.Status.FAILED, answer="There is no report to send."
        )


def end_run(run: ReportRun, *, now: datetime) -> None:
    """End the run, unless a message is still to be sent: a job takes it again when it is silent."""
    unsent = run.deliveries.exclude(status=ReportDelivery.Status.SENT)
    if not unsent.filter(attempts__lt=ATTEMPTS_MAX).exists():
        _own(run).update(status=ReportRun.Status.DONE, ended_at=now)


def keep_run(run: ReportRun, *, now: datetime) -> bool:
    """Say that the job of the run lives; False if another job has taken the run over."""
    return bool(_own(run).update(claimed_at=now))


def claim_deliveries(run: ReportRun, *, clock: Callable[[], datetime]) -> Iterable[ReportDelivery]:
    """The messages of a run that are still to be sent, each claimed before it is given.

    Those that a dead job was sending are among them: they go out with the same id.
    """
    unsent = run.deliveries.exclude(status=ReportDelivery.Status.SENT)
    for delivery in unsent.select_related("person", "channel"):
        if not keep_run(run, now=clock()):
            return
        mine = ReportDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts)
        if delivery.attempts < ATTEMPTS_MAX and mine.exclude(status="sent").update(
            status=ReportDelivery.Status.SENDING, attempts=F("attempts") + 1
        ):
            yield delivery


def record_delivery(delivery: ReportDelivery, *, answer: str, now: datetime) -> None:
    """The message was taken."""
    ReportDelivery.objects.filter(pk=delivery.pk).update(
        status=ReportDelivery.Status.SENT, sent_at=now, answer=answer
    )


def fail_delivery(delivery: ReportDelivery, *, answer: str) -> None:
    """The message was not taken: it is tried again, three times at most."""
    ReportDelivery.objects.filter(pk=delivery.pk).update(
        status=ReportDelivery.Status.FAILED, answer=answer
    )


def refuse_delivery(delivery: ReportDelivery, *, answer: str) -> None:
    """The message must not be sent, and is not tried again."""
    ReportDelivery.objects.filter(pk=delivery.pk).update(
        status=ReportDelivery.Status.FAILED, answer=answer, attempts=ATTEMPTS_MAX
    )


def _own(run: ReportRun) -> Any:
    return ReportRun.objects.filter(
        pk=run.pk, status=ReportRun.Status.RUNNING, attempts=run.attempts
    )


def _times(schedule: ReportSchedule) -> tuple[str, int | None, int]:
    return schedule.frequency, schedule.on_day, schedule.hour


def _terms(schedule: ReportSchedule) -> tuple[object, ...]:
    """What its next moment depends on."""
    return *_times(schedule), schedule.zone


def _next(schedule: ReportSchedule, now: datetime) -> datetime:
    return next_time(*_times(schedule), zone=_zone(schedule), after=now)


def _zone(schedule: ReportSchedule) -> ZoneInfo:
    return ZoneInfo(schedule.zone or organisation().reporting_zone)


def _names(schedule: ReportSchedule) -> str:
    return ", ".join(sorted(person.get_username() for person in schedule.persons.all()))


def _record(
    action: Action, schedule: ReportSchedule, *, actor: Actor, now: datetime, **change: Any
) -> None:
    audit.record(actor=actor, action=action, subject=schedule.address, at=now, **change)
