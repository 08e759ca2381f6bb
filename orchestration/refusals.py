"""Every refusal of the Agent Orchestrator. `butler_site.errors` gives each its status."""

from dataclasses import dataclass

from common.refusal import Refusal


@dataclass(kw_only=True, eq=False)
class TaskNotFound(Refusal):
    """The task does not exist, or belongs to another agent."""

    task_id: int

    def sentence(self) -> str:
        return f"The task {self.task_id} does not exist."


@dataclass(kw_only=True, eq=False)
class SubTaskNotFound(Refusal):
    """The task has no such sub-task."""

    task_id: int
    sub_task: str

    def sentence(self) -> str:
        return f"The task {self.task_id} has no sub-task {self.sub_task}."


@dataclass(kw_only=True, eq=False)
class ExperimentNotPossible(Refusal):
    """The experiment cannot be started, or not be used for all parts; `why` is a sentence."""

    why: str

    def sentence(self) -> str:
        return self.why


@dataclass(kw_only=True, eq=False)
class RunnerNotFound(Refusal):
    """The runner does not exist, is not configured here, or is not open to the agent."""

    runner: str
    runners: list[str]

    def sentence(self) -> str:
        return f"The runner {self.runner} does not exist. Use one of: {', '.join(self.runners)}."


@dataclass(kw_only=True, eq=False)
class WrongPlan(Refusal):
    """The sub-tasks cannot form a plan: a cycle, an unknown or repeated id, too many, too deep.

    `sub_task`: the one at fault; `unknown`: the id it depends on; `cycle`: ids, each depends on the
    next; `count` of what there is too much of (or nothing), and `count_max`.
    """

    sub_task: str | None = None
    unknown: str | None = None
    cycle: list[str] | None = None
    count: int | None = None
    count_max: int | None = None


@dataclass(kw_only=True, eq=False)
class TaskEnded(Refusal):
    """The task has ended; only a retry makes it active again."""

    task_id: int
    status: str

    def sentence(self) -> str:
        return f"The task {self.task_id} has ended ({self.status})."


@dataclass(kw_only=True, eq=False)
class TaskNotEnded(Refusal):
    """The task has not ended, so it cannot be retried yet."""

    task_id: int
    status: str

    def sentence(self) -> str:
        return f"The task {self.task_id} is {self.status}. Wait until it has ended, then retry it."


@dataclass(kw_only=True, eq=False)
class TaskCancelling(Refusal):
    """The task is being cancelled."""

    task_id: int

    def sentence(self) -> str:
        return f"The task {self.task_id} is being cancelled, so it cannot be paused or resumed."


@dataclass(kw_only=True, eq=False)
class SubTaskStarted(Refusal):
    """The sub-task has started or ended, so it cannot be approved, refused, skipped or changed."""

    task_id: int
    sub_task: str
    status: str

    def sentence(self) -> str:
        return (
            f"The sub-task {self.sub_task} is {self.status}. Only a sub-task that has not started "
            "can be approved, refused, skipped or changed."
        )


@dataclass(kw_only=True, eq=False)
class NoGate(Refusal):
    """The sub-task needs no approval, or has one, so there is none to refuse."""

    task_id: int
    sub_task: str

    def sentence(self) -> str:
        return f"The sub-task {self.sub_task} of task {self.task_id} does not wait for an approval."


@dataclass(kw_only=True, eq=False)
class NotADeputy(Refusal):
    """The person is not, or no longer, the deputy of somebody who may approve the sub-task."""

    task_id: int
    sub_task: str

    def sentence(self) -> str:
        return (
            f"You are not the deputy of a person who may approve the sub-task {self.sub_task} of "
            f"task {self.task_id} now."
        )


@dataclass(kw_only=True, eq=False)
class OwnApproval(Refusal):
    """The agent submitted the task itself: a person or another agent must approve its sub-tasks."""

    task_id: int

    def sentence(self) -> str:
        return (
            f"The agent submitted the task {self.task_id} itself. A person, or another agent whose "
            "token has the scope operate, must approve its sub-tasks."
        )


@dataclass(kw_only=True, eq=False)
class NothingToRetry(Refusal):
    """No sub-task of the task has failed."""

    task_id: int

    def sentence(self) -> str:
        return f"The task {self.task_id} has no failed sub-task to retry."


@dataclass(kw_only=True, eq=False)
class TaskTextsDeleted(Refusal):
    """The retention of the task's prompts and results is over, so it cannot be retried."""

    task_id: int

    def sentence(self) -> str:
        return (
            f"The prompts of the task {self.task_id} were deleted when their retention was over. "
            "Submit the task again."
        )


@dataclass(kw_only=True, eq=False)
class TooManyOpenTasks(Refusal):
    """The agent has as many open tasks as it may have."""

    open_tasks: int
    open_tasks_max: int

    def sentence(self) -> str:
        return (
            f"The agent has {self.open_tasks:,} open tasks, and may have {self.open_tasks_max:,}. "
            "Wait until a task has ended, or cancel one."
        )


@dataclass(kw_only=True, eq=False)
class TooManyOpenSubTasks(Refusal):
    """The agent would have more open sub-tasks, in all its tasks, than it may have."""

    sub_tasks: int
    open_sub_tasks: int
    open_sub_tasks_max: int

    def sentence(self) -> str:
        return (
            f"The agent has {self.open_sub_tasks:,} open sub-tasks, and may have "
            f"{self.open_sub_tasks_max:,}, so {self.sub_tasks:,} more are too many. Wait until "
            "some have ended, or cancel a task."
        )


@dataclass(kw_only=True, eq=False)
class BudgetTooLarge(Refusal):
    """A share of the task's budget is more than could ever be lent at once. All in tokens."""

    sub_task: str
    needed: int
    most: int
    budget: int


@dataclass(kw_only=True, eq=False)
class BudgetTooSmall(Refusal):
    """The task's budget, or what is left of it, is too small for its sub-tasks. All in tokens."""

    needed: int
    budget: int | None = None
    left: int | None = None
    reserve: int | None = None
