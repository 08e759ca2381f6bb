"""How much of an agent's work is open and runs, and the most that may."""

from typing import NamedTuple

from django.conf import settings

from orchestration.models import Attempt, Concurrency, SubTask, Task


class AgentWork(NamedTuple):
    """The open tasks of an agent with their open sub-tasks, its running attempts, and the most of
    each."""

    open_tasks: int
    open_tasks_max: int
    open_sub_tasks: int
    open_sub_tasks_max: int
    running: int
    running_max: int


def agent_work(agent: str) -> AgentWork:
    """What the agent has open and running now; four queries."""
    open_tasks = Task.objects.filter(agent=agent).exclude(status__in=Task.ENDED)
    own_max = Concurrency.objects.filter(scope=f"agent:{agent}").values_list("attempts_max")
    return AgentWork(
        open_tasks=open_tasks.count(),
        open_tasks_max=settings.AGENT_OPEN_TASKS_MAX,
        open_sub_tasks=SubTask.objects.filter(
            task__in=open_tasks.values("pk"), status__in=SubTask.OPEN
        ).count(),
        open_sub_tasks_max=settings.AGENT_OPEN_SUB_TASKS_MAX,
        running=Attempt.objects.filter(task__agent=agent, status=Attempt.Status.RUNNING).count(),
        running_max=next((most for (most,) in own_max), settings.AGENT_ATTEMPTS_MAX),
    )
