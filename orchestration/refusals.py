"""Every `no` of the Agent Orchestrator. Codes are stable; `butler_site.errors` maps them."""

from common.refusal import Refusal


class UnknownTask(Refusal):
    """There is no such task, or it is another agent's."""

    code = "unknown_task"


class UnknownSubTask(Refusal):
    """The task has no such sub-task."""

    code = "unknown_sub_task"


class UnknownRunner(Refusal):
    """There is no such runner, or it is not configured here."""

    code = "unknown_runner"


class WrongPlan(Refusal):
    """The sub-tasks cannot be a plan: a cycle, an unknown or doubled id, too many, too deep."""

    code = "wrong_plan"


class TaskEnded(Refusal):
    """The task is over, or not in a state in which this can be done."""

    code = "task_ended"


class NothingToRetry(Refusal):
    """No sub-task of the task has failed."""

    code = "nothing_to_retry"


class BudgetTooSmall(Refusal):
    """The task's budget is too small for its sub-tasks, or what is left of it is."""

    code = "budget_too_small"
