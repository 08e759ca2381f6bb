"""Approve or refuse a sub-task at its gate, in one's own right or in the place of a person who is
away."""

from datetime import datetime

from django.db import transaction

from keys.reasons import check_reason
from orchestration.audit_actions import Action
from orchestration.models import SubTask, Task
from orchestration.queries.gates import gates_for
from orchestration.refusals import (
    NoGate,
    NotADeputy,
    OwnApproval,
    SubTaskNotFound,
    SubTaskStarted,
)
from orchestration.services.finish import fail_sub_tasks
from orchestration.services.gate_time import move_deadline
from orchestration.services.task_control import lock_task, refuse_ended
from orchestration.services.wakeup import wake
from security import audit, persons
from security.actor import Actor, ActorKind
from security.delegations import locked_delegations_to
from security.models import Delegation

# The kind of failure of a sub-task whose approval was refused.
REFUSED = "approval_refused"


@transaction.atomic(durable=True)
def approve(*, task_id: int, key: str, reason: str = "", actor: Actor, now: datetime) -> SubTask:
    """Approve a sub-task, so that it can start as soon as its dependencies are done.

    Repeating the call changes nothing: who was first stays in `approved_by` and `approved_at`.

    Refusals: TaskNotFound, OwnApproval, SubTaskNotFound, TaskEnded, SubTaskStarted.
    """
    return _approve(task_id, key, None, reason=reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def approve_as_deputy(
    *, task_id: int, key: str, reason: str, actor: Actor, now: datetime
) -> SubTask:
    """As `approve`, in the place of an absent person who may approve it at this moment.

    Refusals: WrongValue, NotADeputy, and those of `approve`.
    """
    check_reason(reason)
    user = persons.user_of(actor)
    # Locked, so that none is revoked before this has been decided.
    for each in locked_delegations_to(user, now=now) if user else ():
        if gates_for(each).filter(task=task_id, key=key).exists():
            return _approve(task_id, key, each, reason=reason, actor=actor, now=now)
    raise NotADeputy(task_id=task_id, sub_task=key)


@transaction.atomic(durable=True)
def refuse(*, task_id: int, key: str, reason: str, actor: Actor, now: datetime) -> SubTask:
    """Refuse the approval of a sub-task, which fails then; those that depend on it follow their
    rules. A retry brings it back to its gate.

    Repeating the call changes nothing. Refusals: WrongValue, those of `approve`, and NoGate if the
    sub-task needs no approval or has one.
    """
    check_reason(reason)
    task, sub_task = _locked_gate(task_id, key, actor)
    if sub_task.error_kind == REFUSED:
        return sub_task
    if sub_task.status not in SubTask.TO_COME:
        refuse_ended(task)
        raise SubTaskStarted(task_id=task_id, sub_task=key, status=sub_task.status)
    if not sub_task.needs_approval or sub_task.approved_at:
        raise NoGate(task_id=task_id, sub_task=key)
    before = sub_task.status
    move_deadline(task, now=now)
    says = f"{actor} refused the approval" + (f": {reason}" if reason else ".")
    fail_sub_tasks([sub_task], kind=REFUSED, says=says, now=now)
    sub_task.refresh_from_db()
    audit.record(
        actor=actor,
        action=Action.SUB_TASK_REFUSE,
        subject=f"sub_task:{sub_task.pk}",
        related=[f"task:{task.pk}", f"agent:{task.agent_id}"],
        before={"status": before},
        after={"status": sub_task.status},
        reason=reason,
        at=now,
    )
    return sub_task


def _locked_gate(task_id: int, key: str, actor: Actor) -> tuple[Task, SubTask]:
    """The task, locked until commit, and its sub-task, if the actor may decide about it."""
    task = lock_task(task_id)
    if (actor.kind, actor.name) == (ActorKind.AGENT, task.agent_id):
        raise OwnApproval(task_id=task_id)
    sub_task = SubTask.objects.filter(task=task, key=key).first()
    if sub_task is None:
        raise SubTaskNotFound(task_id=task_id, sub_task=key)
    return task, sub_task


def _approve(
    task_id: int,
    key: str,
    delegation: Delegation | None,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
) -> SubTask:
    task, sub_task = _locked_gate(task_id, key, actor)
    if sub_task.approved_at:
        return sub_task
    if sub_task.status not in SubTask.TO_COME:
        refuse_ended(task)
        raise SubTaskStarted(task_id=task_id, sub_task=key, status=sub_task.status)
    before, absent = sub_task.status, delegation.absent if delegation else None
    for_whom = f" for {absent.username}" if absent else ""
    sub_task.approved_at, sub_task.approved_by = now, f"{actor}{for_whom}"
    sub_task.approved_reason, sub_task.delegation = reason[:300], delegation
    if sub_task.status == SubTask.Status.GATED:
        move_deadline(task, now=now)
        sub_task.status, sub_task.waiting_since = SubTask.Status.WAITING, now
        sub_task.not_before = now
        wake()
    sub_task.save()
    audit.record(
        actor=actor,
        action=Action.SUB_TASK_APPROVE,
        subject=f"sub_task:{sub_task.pk}",
        related=[
            *(f"task:{task.pk}", f"agent:{task.agent_id}"),
            *([f"user:{absent.pk}"] if absent else []),
        ],
        before={"status": before, "approved": False},
        after={"status": sub_task.status, "approved": True}
        | ({"decided_for": absent.username} if absent else {}),
        reason=reason,
        at=now,
    )
    return sub_task
