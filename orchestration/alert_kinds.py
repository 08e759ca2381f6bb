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
EXPERIMENT_ENDED = register(
    AlertKind(
        slug="experiment_ended",
        severity=Severity.INFO,
        meaning="An experiment has ended: for a week, part of an agent's parts ran on a cheaper "
        "model, or for less long because it was clearly worse. Parts run as they ask again.",
        remedy="Under Reports, Savings, use the model for all parts if it is as good, or dismiss "
        "the saving. If the figures are undecided, start it once more.",
        page="agent",
        subject="agent_id",
    )
)
CLOCK_SKEWED = register(
    AlertKind(
        slug="clock_skewed",
        severity=Severity.WARNING,
        meaning="The clock of a host on which workers, jobs or the web server run differs from "
        "that of the database. Workers, the gateway, the API and the jobs that end holds and "
        "sessions go by the clock of the database, so nothing is taken over or ended for that. "
        "Pages and commands go by the host's own clock: what people do there is recorded too "
        "early or too late.",
        remedy="Set the clock of the host and that of the database by NTP. Butler resolves the "
        "alert when they agree again.",
        page="host",
        subject="host",
    )
)
TASK_ENDED_BY_LIMIT = register(
    AlertKind(
        slug="task_ended_by_limit",
        severity=Severity.WARNING,
        meaning="A task ended without all of its results, because a limit had no room until its "
        "time was over, its budget was used up, or a sub-task was not approved in time.",
        remedy="The alert names the limit. Raise it, or raise the task's budget, then retry what "
        "failed.",
        page="task",
        subject="task",
    )
)
WORK_WAITS_FOR_LIMIT = register(
    AlertKind(
        slug="work_waits_for_limit",
        severity=Severity.WARNING,
        meaning="Sub-tasks of this agent have waited for more than a minute, because a limit of an "
        "API key, of the agent or of its cost centre has no room for them.",
        remedy="The alert names the limit and when it resets. Raise it, ask for fewer tokens, or "
        "wait for the reset: the sub-tasks start by themselves.",
        page="agent",
        subject="agent_id",
    )
)
SUB_TASK_NEEDS_APPROVAL = register(
    AlertKind(
        slug="sub_task_needs_approval",
        severity=Severity.WARNING,
        meaning="A sub-task waits for a person's approval. Without it, it fails when its time is "
        "over.",
        remedy="Read what the sub-task would do, then approve or refuse it.",
        page="sub_task",
        subject="sub_task",
    )
)
SUB_TASK_APPROVAL_ENDS = register(
    AlertKind(
        slug="sub_task_approval_ends",
        severity=Severity.CRITICAL,
        meaning="A sub-task has waited for its approval for most of the time that it may. When "
        "this is over, it fails.",
        remedy="Approve or refuse it now. After it has failed, a retry brings it back.",
        page="sub_task",
        subject="sub_task",
        continues=("sub_task_needs_approval",),
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
PART_ABOVE_FORECAST = register(
    AlertKind(
        slug="part_above_forecast",
        severity=Severity.WARNING,
        meaning="A running part of a task has used more tokens than 90 of 100 such pieces of work "
        "need. It goes on until its budget ends.",
        remedy="Look at what the part does. Cancel the task on its page if that leads to nothing. "
        "Butler resolves the alert when the attempt has ended.",
        page="task",
        subject="task",
    )
)
PART_HOPELESS = register(
    AlertKind(
        slug="part_hopeless",
        severity=Severity.CRITICAL,
        meaning="A running part of a task will hardly be finished: it has used more than 99 of 100 "
        "such pieces of work need, its calls go round in a loop, or its budget is nearly used and "
        "was less than half of such work needs.",
        remedy="Cancel the task on its page, or let it go on. Nothing stops by itself. Butler "
        "resolves the alert when the attempt has ended.",
        page="task",
        subject="task",
        continues=("part_above_forecast",),
    )
)
