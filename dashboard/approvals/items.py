"""An approval or the gate of a sub-task as one value, which the pages show alike."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from common import links
from dashboard.budget_links import scope_url
from orchestration.models import SubTask
from orchestration.queries.gates import can_be_approved
from security.approvals import all_kinds
from security.models import Approval

_ASKED = Approval.Status.ASKED
_GATE = "A sub-task of this task starts only after a person has approved it."


@dataclass(frozen=True, kw_only=True)
class Item:
    """What somebody asked for: what it means, what it does, and who decided how and why."""

    url: str
    kind: str
    title: str
    about: str
    about_url: str | None
    meaning: str
    effect: str
    asked_by: str
    asked_at: datetime
    reason: str
    expires_at: datetime | None
    status: str
    decided_by: str
    decided_at: datetime | None
    decided_reason: str
    rule: str = ""
    needs: str = ""
    first_yes_by: str = ""
    first_yes_at: datetime | None = None
    first_yes_reason: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether it can still be decided."""
        return self.status == _ASKED


def approval_item(approval: Approval, *, now: datetime) -> Item:
    """An approval; one whose time is over has expired, also before the job has said so."""
    kind = all_kinds().get(approval.kind)
    label = kind.label if kind else approval.kind
    is_late = approval.status == _ASKED and approval.expires_at <= now
    return Item(
        url=links.url("approval", approval.pk),
        kind=label,
        title=f"{label} of {approval.subject.partition(':')[2] or approval.subject}",
        about=approval.subject,
        about_url=scope_url(approval.subject),
        meaning=kind.meaning if kind else "",
        effect=approval.effect,
        asked_by=approval.asked_by,
        asked_at=approval.asked_at,
        reason=approval.reason,
        expires_at=approval.expires_at,
        status=Approval.Status.EXPIRED if is_late else approval.status,
        decided_by=approval.decided_by,
        decided_at=approval.decided_at,
        decided_reason=approval.decided_reason,
        rule=approval.rule,
        needs=_needs(approval),
        first_yes_by=approval.first_yes_by,
        first_yes_at=approval.first_yes_at,
        first_yes_reason=approval.first_yes_reason,
    )


def _needs(approval: Approval) -> str:
    """What the rule means for this one; empty if one person of any group approves it."""
    group = f" of the group {approval.role}" if approval.role else ""
    if approval.second_yes:
        return f"two persons{group} approve it; {approval.yes_given} of 2 so far"
    return f"one person{group} approves it" if group else ""


def gate_item(sub_task: SubTask) -> Item:
    """The gate of a sub-task; its agent asked for it with the task."""
    task = sub_task.task
    status: str = sub_task.status
    if sub_task.approved_at:
        status = Approval.Status.APPROVED
    elif can_be_approved(sub_task):
        status = _ASKED
    return Item(
        url=links.url("gate", sub_task.pk),
        kind="Sub-task",
        title=f"Sub-task {sub_task.name} of {task.name}",
        about=f"task {task.pk}",
        about_url=links.url("task", task.pk),
        meaning=_GATE,
        effect=f"It may use up to {sub_task.share:,} of the {task.budget:,} tokens of the task.",
        asked_by=f"agent:{task.agent_id}",
        asked_at=task.created_at,
        reason="",
        expires_at=_gate_ends_at(sub_task),
        status=status,
        decided_by=sub_task.approved_by,
        decided_at=sub_task.approved_at,
        decided_reason=sub_task.approved_reason or _refused_because(sub_task),
    )


def _gate_ends_at(sub_task: SubTask) -> datetime | None:
    """When it fails without an approval; None before it waits for one."""
    if sub_task.status != SubTask.Status.GATED or sub_task.waiting_since is None:
        return None
    return sub_task.waiting_since + timedelta(seconds=sub_task.task.approval_seconds)


def _refused_because(sub_task: SubTask) -> str:
    return sub_task.error if sub_task.error_kind in ("approval_refused", "approval_expired") else ""
