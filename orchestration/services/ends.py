"""Say why tasks ended as they did, and alert people when it was for a limit."""

from collections.abc import Sequence
from datetime import datetime

from alerts import services as alerts
from orchestration import alert_kinds
from orchestration.models import SubTask, Task
from orchestration.runners.base import KINDS

# Ends by a limit or a time, of which a person can change the cause.
_BY_LIMIT = (
    "no_capacity",
    "waited_too_long",
    "task_timeout",
    "budget_exhausted",
    "approval_expired",
)
_REASON_MAX = 300


def say_why_ended(task_ids: Sequence[int], *, now: datetime) -> None:
    """Write the reason of tasks that have just ended with a failed sub-task: that of the first one.

    Joins the caller's transaction. One query if none of them has failed.
    """
    if not task_ids:
        return
    failed = SubTask.objects.filter(
        task__in=task_ids, task__status__in=("failed", "partial"), status=SubTask.Status.FAILED
    ).exclude(error_kind="dependency_failed")
    rows = failed.select_related("task").defer("sealed_description", "sealed_result")
    by_task: dict[int, list[SubTask]] = {}
    for one in rows.order_by("task", "position"):
        by_task.setdefault(one.task_id, []).append(one)
    for some in by_task.values():
        _say_why(some, now=now)


def _say_why(failed: list[SubTask], *, now: datetime) -> None:
    # A limit explains more than what a sub-agent did.
    first = next((one for one in failed if one.error_kind in _BY_LIMIT), failed[0])
    task, more = first.task, len(failed) - 1
    says = f"The sub-task {first.key} failed: {reason_of(first)}"
    if more:
        says += f" {more:,} more failed."
    task.status_reason = says if len(says) <= _REASON_MAX else f"{says[: _REASON_MAX - 1]}…"
    Task.objects.filter(pk=task.pk).update(status_reason=task.status_reason)
    if first.error_kind in _BY_LIMIT:
        alerts.raise_alert(
            kind=alert_kinds.TASK_ENDED_BY_LIMIT,
            dedup_key=f"task:{task.pk}:ended:{now:%Y%m%d%H%M%S}",
            title=f"Task {task.name} ended {task.status} for a limit",
            detail=says,
            facts={"task": task.pk, "sub_task": first.pk, "error_kind": first.error_kind},
            agent_id=task.agent_id,
            now=now,
        )


def reason_of(sub_task: SubTask) -> str:
    """Why it failed: Butler's own words. What programs and providers said may repeat a prompt."""
    if sub_task.error_kind in _BY_LIMIT and sub_task.error:
        return sub_task.error
    kind = KINDS.get(sub_task.error_kind)
    return f"{kind.says}." if kind else "its error has the details."
