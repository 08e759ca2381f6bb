"""Limits on how many tasks and sub-tasks of one agent may be open."""

from keys.models import Agent
from orchestration.queries.agent_work import agent_work
from orchestration.refusals import TooManyOpenSubTasks, TooManyOpenTasks


def check_open_work(agent: str, *, sub_tasks: int, tasks: int = 1) -> None:
    """Check that the agent may have so many more open tasks and open sub-tasks.

    Locks the agent's row, so that its other requests wait until the caller's transaction ends.
    Refusals: TooManyOpenTasks, TooManyOpenSubTasks.
    """
    Agent.objects.select_for_update(of=("self",), no_key=True).get(pk=agent)
    work = agent_work(agent)
    if work.open_tasks + tasks > work.open_tasks_max:
        raise TooManyOpenTasks(open_tasks=work.open_tasks, open_tasks_max=work.open_tasks_max)
    if work.open_sub_tasks + sub_tasks > work.open_sub_tasks_max:
        raise TooManyOpenSubTasks(
            sub_tasks=sub_tasks,
            open_sub_tasks=work.open_sub_tasks,
            open_sub_tasks_max=work.open_sub_tasks_max,
        )
