"""How a person decides: approve, reject, or withdraw what they asked for."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from dashboard.acts import Act, Outcome, Perform
from orchestration import services as orchestration
from orchestration.models import SubTask
from orchestration.queries.gates import can_be_approved
from security import services as security
from security.actor import Actor
from security.models import Approval

_ONE_OF_TWO = "Your approval counts. Another person has to approve it, too, before it is made."


def _end(verb: Callable[..., Approval], success: str) -> Perform:
    def perform(approval: Approval, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        decided = verb(approval.pk, reason=asked["reason"], actor=actor, now=now)
        return _ONE_OF_TWO if decided.status == Approval.Status.ASKED else success

    return perform


def _approve_gate(verb: Callable[..., SubTask]) -> Perform:
    def perform(sub_task: SubTask, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        task_id, key, reason = sub_task.task_id, sub_task.key, asked["reason"]
        approved = verb(task_id=task_id, key=key, reason=reason, actor=actor, now=now)
        if approved.approved_at != now:
            return f"{approved.approved_by} approved the sub-task before you. Nothing has changed."
        return f"The sub-task {sub_task.name} is approved."

    return perform


def _refuse_gate(sub_task: SubTask, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    orchestration.refuse(
        task_id=sub_task.task_id, key=sub_task.key, reason=asked["reason"], actor=actor, now=now
    )
    return f"The approval of the sub-task {sub_task.name} is refused."


def _cancel_task(sub_task: SubTask, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    orchestration.cancel(task_id=sub_task.task_id, reason=asked["reason"], actor=actor, now=now)
    return f"The task {sub_task.task.name} is cancelled."


APPROVE = Act(
    name="approve",
    button="Approve",
    about="The change is made now, if what it was based on still holds. If two persons are needed, "
    "it is made when the second one approves.",
    perform=_end(security.approve, "It is approved."),
)
REJECT = Act(
    name="reject",
    button="Reject",
    about="Nothing is changed. Your reason is shown to who asked.",
    perform=_end(security.reject, "It is rejected."),
)
WITHDRAW = Act(
    name="withdraw",
    button="Withdraw",
    about="Nothing is changed, and nobody has to decide any more.",
    perform=_end(security.withdraw, "It is withdrawn."),
)
APPROVE_GATE = Act(
    name="approve",
    button="Approve",
    about="The sub-task starts as soon as its dependencies and the concurrency limits allow.",
    permission="orchestration.steer_task",
    applies=can_be_approved,
    perform=_approve_gate(orchestration.approve),
)
REFUSE_GATE = Act(
    name="refuse",
    button="Refuse",
    about="The sub-task fails with your reason. Those that depend on it follow their rules, and "
    "the others go on.",
    permission="orchestration.steer_task",
    applies=can_be_approved,
    perform=_refuse_gate,
)
CANCEL_TASK = Act(
    name="cancel",
    button="Cancel the task",
    about="The whole task ends. Running sub-agents stop within seconds, the tokens that they have "
    "used are charged, and existing results are kept.",
    permission="orchestration.steer_task",
    applies=can_be_approved,
    perform=_cancel_task,
)
# To refuse one, or to cancel the task, stays with those who steer it.
APPROVE_AS_DEPUTY = replace(
    APPROVE_GATE, permission="", perform=_approve_gate(orchestration.approve_as_deputy)
)
DECISIONS: Sequence[Act] = (APPROVE, REJECT)
GATE_DECISIONS: Sequence[Act] = (APPROVE_GATE, REFUSE_GATE, CANCEL_TASK)
