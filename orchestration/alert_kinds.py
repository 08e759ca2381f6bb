"""The kinds of alerts about tasks and their sub-tasks."""

from alerts.kinds import AlertKind, register
from alerts.models import Severity

SUB_TASK_QUARANTINED = register(
    AlertKind(
        slug="sub_task_quarantined",
        severity=Severity.WARNING,
        meaning="The workers that ran this sub-task died several times. Butler does not start it "
        "again, because it may be what kills them.",
        remedy="Read the errors of the sub-task's attempts and the workers' log. When the cause "
        "is removed, retry the failed sub-tasks of the task.",
        page="sub_task",
        subject="sub_task",
    )
)
TASK_AT_SOFT_LIMIT = register(
    AlertKind(
        slug="task_at_soft_limit",
        severity=Severity.WARNING,
        meaning="A task has used as many tokens as its soft limit allows. It is paused: attempts "
        "that run are finished, and no new ones start.",
        remedy="Look at what the task has achieved. Resume it to let it use the rest of its "
        "budget, or cancel it.",
        page="task",
        subject="task",
    )
)
