"""What people may do to a task and to a part of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms

from dashboard.acts import Act, ActForm, Outcome, Perform
from dashboard.approvals.acts import APPROVE_GATE, CANCEL_TASK, REFUSE_GATE
from orchestration import services as orchestration
from orchestration.models import SubTask, Task
from orchestration.services.task_request import PRIORITIES, TOKENS_MAX
from security.actor import Actor

STEER = "orchestration.steer_task"
_ENDED_BADLY = (SubTask.Status.FAILED, SubTask.Status.CANCELLED)


class RetryForm(ActForm):
    """Asks how many tokens to add, too."""

    additional_budget = forms.IntegerField(
        label="Tokens added to the budget",
        initial=0,
        min_value=0,
        max_value=TOKENS_MAX,
        help_text="The rest of the budget is used first.",
    )
    field_order = ("additional_budget", "reason")


class BudgetForm(ActForm):
    """Asks how many tokens to add."""

    additional_budget = forms.IntegerField(
        label="Tokens added to the budget", min_value=1, max_value=TOKENS_MAX
    )
    field_order = ("additional_budget", "reason")


class PriorityForm(ActForm):
    """Asks for the priority."""

    priority = forms.ChoiceField(
        choices=[(each, each) for each in PRIORITIES],
        help_text="Among the tasks of the same agent.",
    )
    field_order = ("priority", "reason")

    def __init__(self, subject: Task, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.initial["priority"] = subject.priority


def _control(verb: Callable[..., Task], success: str) -> Perform:
    def perform(task: Task, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
        verb(task_id=task.pk, reason=asked["reason"], actor=actor, now=now)
        return success.format(task.name)

    return perform


def _retry(task: Task, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    orchestration.retry_failed(task_id=task.pk, **asked, actor=actor, now=now)
    return f"What failed of the task {task.name} starts again."


def _retry_part(part: SubTask, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    orchestration.retry_failed(task_id=part.task_id, key=part.key, **asked, actor=actor, now=now)
    return f"The part {part.name} starts again."


def _skip_part(part: SubTask, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    reason = asked["reason"]
    orchestration.skip(task_id=part.task_id, key=part.key, reason=reason, actor=actor, now=now)
    return f"The part {part.name} is skipped."


def _raise_budget(task: Task, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    orchestration.raise_budget(task_id=task.pk, **asked, actor=actor, now=now)
    return f"The budget of the task {task.name} is raised."


def _set_priority(task: Task, asked: dict[str, Any], actor: Actor, now: datetime) -> Outcome:
    orchestration.set_priority(task_id=task.pk, **asked, actor=actor, now=now)
    return f"The priority of the task {task.name} is {asked['priority']}."


def _goes_on(task: Task) -> bool:
    return not task.is_over and task.status != Task.Status.CANCELLING


def _can_be_skipped(part: SubTask) -> bool:
    return (
        part.position > 0
        and part.status in (*SubTask.TO_COME, *_ENDED_BADLY)
        and part.error_kind != "skipped"
        and part.task.status not in (Task.Status.CANCELLING, Task.Status.CANCELLED)
        and not part.task.texts_deleted_at
    )


def _can_be_retried(task: Task) -> bool:
    # Set by the page.
    return task.is_over and not task.texts_deleted_at and getattr(task, "has_failed_parts", False)


TASK_ACTS = (
    Act(
        name="pause",
        button="Pause",
        about="No further part starts until somebody resumes the task. Running ones go on.",
        permission=STEER,
        perform=_control(orchestration.pause, "The task {} is paused."),
        applies=lambda task: task.status == Task.Status.ACTIVE,
    ),
    Act(
        name="resume",
        button="Resume",
        about="Parts start again. The deadline moves by the time that the task was paused.",
        permission=STEER,
        perform=_control(orchestration.resume, "The task {} is resumed."),
        applies=lambda task: task.status == Task.Status.PAUSED,
    ),
    Act(
        name="cancel",
        button="Cancel",
        about="Running parts stop within seconds, and the tokens that they have used are charged. "
        "Existing results are kept.",
        permission=STEER,
        perform=_control(orchestration.cancel, "The task {} is cancelled."),
        applies=lambda task: task.status in (Task.Status.ACTIVE, Task.Status.PAUSED),
    ),
    Act(
        name="budget",
        button="Raise the budget",
        about="Parts that failed because their share was used up start again with the tokens. If "
        "there are none, those that have not started get them.",
        permission=STEER,
        form=BudgetForm,
        perform=_raise_budget,
        applies=_goes_on,
    ),
    Act(
        name="priority",
        button="Set the priority",
        about="It decides which tasks of the agent start first, and counts for parts that have not "
        "started. Running ones go on.",
        permission=STEER,
        form=PriorityForm,
        perform=_set_priority,
        applies=_goes_on,
    ),
    Act(
        name="retry",
        button="Retry what failed",
        about="Failed and cancelled parts start again. Results of the others are kept.",
        permission=STEER,
        form=RetryForm,
        perform=_retry,
        applies=_can_be_retried,
    ),
)
PART_ACTS = (
    APPROVE_GATE,
    REFUSE_GATE,
    CANCEL_TASK,
    Act(
        name="retry",
        button="Retry",
        about="This part starts again, with the failed ones that it needs and those that only wait "
        "for it. Results of the others are kept.",
        permission=STEER,
        form=RetryForm,
        perform=_retry_part,
        applies=lambda part: (
            part.status in _ENDED_BADLY
            and part.position > 0
            and part.task.status != Task.Status.CANCELLING
            and not part.task.texts_deleted_at
        ),
    ),
    Act(
        name="skip",
        button="Skip",
        about="What depends on this part goes on without its result, also what failed because of "
        "it.",
        permission=STEER,
        perform=_skip_part,
        applies=_can_be_skipped,
    ),
)
