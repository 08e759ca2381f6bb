"""Findings of secrets: report one, decide it, and what follows from a leak of Butler's own."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from alerts import services as alerts
from gate.alert_kinds import SECRET_LEAKED, SECRET_NOT_REPLACED
from gate.audit_actions import Action
from gate.models import Finding
from gate.refusals import FindingDecided, FindingNotFound
from keys import services as keys
from keys.own_secrets import OwnSecrets
from keys.reasons import check_reason
from security import audit
from security.actor import Actor

OWN_SECRET = "own-secret"  # noqa: S105 - the name of a rule
# A leaked secret is to be replaced within this time.
_REPLACE_WITHIN = timedelta(hours=24)
_FREEZER = Actor.job("findings")


class FindingReport(NamedTuple):
    """What is reported: a rule, a place, and an excerpt without the secret."""

    rule: str
    path: str
    line: int
    excerpt: str = ""


def report_finding(
    report: FindingReport, *, text: str = "", actor: Actor, now: datetime
) -> list[Finding]:
    """Record a finding. Returns it, and one for each of Butler's own secrets in `text`.

    `text` is what stands at the place; it is looked through and never stored. A leaked key of a
    provider is frozen, so its sessions move to other keys or stop. What is reported again is the
    same finding while it is open.
    """
    own = OwnSecrets().find(text) if text else []
    if not own:
        return [_record(report, subject="", actor=actor, now=now)]
    return [
        report_leak(
            each.subject, path=report.path, line=report.line + each.line - 1, actor=actor, now=now
        )
        for each in own
    ]


def report_leak(subject: str, *, path: str, line: int, actor: Actor, now: datetime) -> Finding:
    """Record that a secret of Butler's own was found, see `report_finding`."""
    if subject.startswith("key:"):
        # Before the finding is recorded: a crash leaves the key frozen.
        reason = f"Its secret was found in {path}"[:300]
        keys.freeze(subject, reason=reason, actor=_FREEZER, now=now)
    report = FindingReport(OWN_SECRET, path, line)
    return _record(report, subject=subject, actor=actor, now=now)


@transaction.atomic(durable=True)
def _record(report: FindingReport, *, subject: str, actor: Actor, now: datetime) -> Finding:
    finding, is_new = Finding.objects.get_or_create(
        **report._asdict(),
        subject=subject,
        status=Finding.Status.OPEN,
        defaults={
            "reported_by": str(actor),
            "reported_at": now,
            "replace_by": now + _REPLACE_WITHIN if subject else None,
        },
    )
    if is_new:
        audit.record(
            actor=actor,
            action=Action.FINDING_REPORT,
            subject=f"finding:{finding.pk}",
            related=[subject] if subject else [],
            after={"rule": report.rule, "path": report.path, "line": report.line},
            at=now,
        )
        if subject:
            alerts.raise_alert(
                kind=SECRET_LEAKED,
                dedup_key=f"secret_leaked:{finding.pk}",
                title=f"The secret of {subject} was found in {report.path}",
                facts={"finding_id": finding.pk, "subject": subject, "line": report.line},
                key_id=subject.removeprefix("key:") if subject.startswith("key:") else None,
                now=now,
            )
    return finding


@transaction.atomic(durable=True)
def decide_finding(
    finding_id: int, *, status: str, reason: str, actor: Actor, now: datetime
) -> Finding:
    """Say that a finding is fixed or allowed, and why. What it froze stays frozen.

    Refusals: WrongValue, FindingNotFound, FindingDecided.
    """
    check_reason(reason)
    finding = Finding.objects.select_for_update().filter(pk=finding_id).first()
    if finding is None:
        raise FindingNotFound(finding_id=finding_id)
    if finding.status != Finding.Status.OPEN:
        raise FindingDecided(finding_id=finding_id, status=finding.status)
    finding.status, finding.reason = status, reason
    finding.decided_by, finding.decided_at = str(actor), now
    finding.save(update_fields=["status", "reason", "decided_by", "decided_at"])
    audit.record(
        actor=actor,
        action=Action.FINDING_DECIDE,
        subject=f"finding:{finding.pk}",
        related=[finding.subject] if finding.subject else [],
        before={"status": Finding.Status.OPEN},
        after={"status": status},
        reason=reason,
        at=now,
    )
    for kind in ("secret_leaked", "secret_not_replaced"):
        alerts.resolve_by_key(f"{kind}:{finding.pk}", actor=actor, note=reason, now=now)
    return finding


@transaction.atomic(durable=True)
def alert_of_overdue_findings(*, now: datetime) -> None:
    """Raise an alert for each leaked secret that was not replaced in time."""
    for finding in Finding.objects.filter(status=Finding.Status.OPEN, replace_by__lte=now):
        alerts.raise_alert(
            kind=SECRET_NOT_REPLACED,
            dedup_key=f"secret_not_replaced:{finding.pk}",
            title=f"The secret of {finding.subject} has leaked and was not replaced in time",
            detail=f"It was found in {finding.path}.",
            facts={"finding_id": finding.pk, "subject": finding.subject},
            now=now,
        )
