"""What `orchestration` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on tasks under way and looks at their texts, on experiments, on
    command-line agents and on concurrency limits."""

    TASK_LOOK = "task.look"
    TASK_CANCEL = "task.cancel"
    TASK_PAUSE = "task.pause"
    TASK_RESUME = "task.resume"
    TASK_RETRY = "task.retry"
    TASK_SET_PRIORITY = "task.set_priority"
    TASK_RAISE_BUDGET = "task.raise_budget"
    SUB_TASK_APPROVE = "sub_task.approve"
    SUB_TASK_REFUSE = "sub_task.refuse"
    SUB_TASK_SKIP = "sub_task.skip"
    SUB_TASK_CHANGE = "sub_task.change"
    EXPERIMENT_START = "experiment.start"
    EXPERIMENT_STOP = "experiment.stop"
    EXPERIMENT_ADOPT = "experiment.adopt"
    COMMAND_ADD = "command.add"
    COMMAND_CHANGE = "command.change"
    CONCURRENCY_LIMIT_SET = "concurrency_limit.set"
    CONCURRENCY_LIMIT_REMOVE = "concurrency_limit.remove"
