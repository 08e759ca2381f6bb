"""The nightly books check: begin the run that is due, and keep what it found."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from alerts import services as alerts
from common.row_checks import Finding
from keys.alert_kinds import BOOKS_BROKEN, BOOKS_UNCHECKED
from keys.identity.queries.organisation import organisation
from keys.models import BooksCheck
from security.actor import Actor

# A run is ended after that time; one that has not finished by then was killed.
BOOKS_CHECK_SECONDS_MAX = 3600
_RUN_MAX = timedelta(seconds=BOOKS_CHECK_SECONDS_MAX)
_AFTER_MIDNIGHT = timedelta(hours=2)
_ATTEMPTS_MAX = 3
_KEPT = timedelta(days=90)
_ACTOR = Actor.job("books check")


@transaction.atomic(durable=True)
def begin_books_check(*, now: datetime) -> BooksCheck | None:
    """Begin the check that is due since the last 02:00 in the reporting zone.

    None if it has finished, if it runs, or if it was begun so often that it would not finish now
    either. If a run did not finish, people are alerted. May be called by several processes at once.
    """
    zone = ZoneInfo(organisation().reporting_zone)
    night = (now.astimezone(zone) - _AFTER_MIDNIGHT).date()
    last = BooksCheck.objects.filter(night=night).first()
    if last and (last.finished_at or now < last.begun_at + _RUN_MAX):
        return None
    attempt = last.attempt + 1 if last else 1
    if attempt > _ATTEMPTS_MAX:
        return None
    if last:
        _alert_of_stopped(last, now=now)
    check, is_new = BooksCheck.objects.get_or_create(
        night=night, attempt=attempt, defaults={"begun_at": now}
    )
    return check if is_new else None


@transaction.atomic(durable=True)
def finish_books_check(check: BooksCheck, findings: Sequence[Finding], *, now: datetime) -> None:
    """Keep what the check found, alert people if the books do not balance, and delete old runs."""
    check.finished_at, check.checks = max(now, check.begun_at), len(findings)
    check.findings = [_kept(finding) for finding in findings if finding.count]
    check.save(update_fields=["finished_at", "checks", "findings"])
    BooksCheck.objects.filter(begun_at__lt=now - _KEPT).delete()
    note = f"The {check} finished."
    alerts.resolve_by_key(BOOKS_UNCHECKED.slug, actor=_ACTOR, note=note, now=now)
    if check.is_balanced:
        note = f"The {check} found the books balanced."
        alerts.resolve_by_key(BOOKS_BROKEN.slug, actor=_ACTOR, note=note, now=now)
    else:
        _alert_of_broken(check, now=now)


def _kept(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check.name,
        "says": finding.check.says,
        "count": finding.count,
        "rows": [{name: str(value) for name, value in row.items()} for row in finding.rows],
    }


def _alert_of_broken(check: BooksCheck, *, now: datetime) -> None:
    alerts.raise_alert(
        kind=BOOKS_BROKEN,
        dedup_key=BOOKS_BROKEN.slug,
        title="The books do not balance",
        detail="\n".join(
            f"{each['check']}: {each['count']} rows break “{each['says']}”"
            for each in check.findings
        ),
        facts={"books_check": check.pk},
        now=now,
    )


def _alert_of_stopped(check: BooksCheck, *, now: datetime) -> None:
    alerts.raise_alert(
        kind=BOOKS_UNCHECKED,
        dedup_key=BOOKS_UNCHECKED.slug,
        title="The books check did not finish",
        detail=f"The {check} UTC did not finish.",
        facts={"books_check": check.pk},
        now=now,
    )
