"""Skip a part of a task, or change what it does before it starts."""

from datetime import datetime
from typing import Any

from django.db import transaction

from keys import services as keys
from keys.refusals import WrongValue
from orchestration.audit_actions import Action
from orchestration.models import SubTask, Task
from orchestration.refusals import (
    SubTaskNotFound,
    SubTaskStarted,
    TaskCancelling,
    TaskTextsDeleted,
)
from orchestration.services.finish import advance_tasks
from orchestration.services.gate_time import move_deadline
from orchestration.services.retry import failed_sub_tasks, only_waiting_for, reopen, restart
from orchestration.services.task_control import lock_task
from orchestration.services.wakeup import wake
from orchestration.storable_text import is_storable
from orchestration.task_texts import description_of, texts_of
from security import audit
from security.actor import Actor

S = SubTask.Status
SKIPPED = "skipped"
_FAILED = (S.FAILED, S.CANCELLED)


@transaction.atomic(durable=True)
def skip(*, task_id: int, key: str, reason: str = "", actor: Actor, now: datetime) -> Task:
    """Skip a sub-task that has not started, or has failed: what depends on it goes on without it,
    for good.

    Those that failed only because of it start again, and so does the task if it had ended.
    Repeating the call changes nothing. Refusals: TaskNotFound, SubTaskNotFound, TaskCancelling,
    SubTaskStarted, and those of `restart`.
    """
    task, part = _locked_part(task_id, key)
    if part.error_kind == SKIPPED:
        return task
    before = part.status
    again = _failed_by(task, part) if before in _FAILED else []
    move_deadline(task, now=now)
    part.status, part.error_kind = S.CANCELLED, SKIPPED
    part.error = f"Skipped by {actor}" + (f": {reason}" if reason else ".")
    part.ended_at, part.waiting_since = part.ended_at or now, None
    part.save()
    if again:
        restart(task, again, now=now)
    reopen(task, f"a part was skipped by {actor}", now=now)
    advance_tasks(done=[part.pk], tasks=[task.pk], now=now)
    _record(
        task, part, Action.SUB_TASK_SKIP, {"status": before}, reason=reason, actor=actor, at=now
    )
    wake()
    task.refresh_from_db()
    return task


@transaction.atomic(durable=True)
def change_sub_task(
    *,
    task_id: int,
    key: str,
    changes: dict[str, str],
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> SubTask:
    """Change `description`, `model`, `provider` or `if_dependency_fails` of a sub-task that has not
    started, or has failed and can be retried; the rule only before its first attempt.

    Refusals: TaskNotFound, SubTaskNotFound, TaskCancelling, SubTaskStarted, TaskTextsDeleted,
    WrongValue, ProviderNotFound, ModelNotFound.
    """
    task, part = _locked_part(task_id, key)
    if task.texts_deleted_at:
        raise TaskTextsDeleted(task_id=task_id)
    named: dict[str, Any] = {n: changes[n] for n in ("model", "provider") if n in changes}
    if named:
        model = named.get("model", part.model)
        keys.check_known(
            provider=named.get("provider", part.provider), models=[model] if model else []
        )
    if "if_dependency_fails" in changes:
        if part.attempts_made:
            raise SubTaskStarted(task_id=task_id, sub_task=key, status=part.status)
        named["if_dependency_fails"] = changes["if_dependency_fails"]
    before = {name: getattr(part, name) for name in named}
    part.tokens_max = None
    for name, value in named.items():
        setattr(part, name, value)
    if "description" in changes:
        _set_description(task, part, changes["description"])
    part.save()
    # Descriptions are sealed: the audit says that it changed, not how.
    after = named | ({"description": "changed"} if "description" in changes else {})
    _record(task, part, Action.SUB_TASK_CHANGE, before, after, reason=reason, actor=actor, at=now)
    return part


def _set_description(task: Task, part: SubTask, description: str) -> None:
    if not description.strip() or not is_storable(description):
        raise WrongValue(
            "description must not be empty, and must not contain NUL or unpaired surrogates.",
            field="description",
        )
    place = description_of(part.position)
    part.sealed_description = texts_of(task).seal(description.strip(), place=place)


def _locked_part(task_id: int, key: str) -> tuple[Task, SubTask]:
    """The task, locked until commit, and a sub-task of it that neither runs nor has succeeded."""
    task = lock_task(task_id)
    if task.status == Task.Status.CANCELLING:
        raise TaskCancelling(task_id=task_id)
    part = SubTask.objects.filter(task=task, key=key, position__gt=0).first()
    if part is None:
        raise SubTaskNotFound(task_id=task_id, sub_task=key)
    if part.status in (S.RUNNING, S.SUCCEEDED):
        raise SubTaskStarted(task_id=task_id, sub_task=key, status=part.status)
    return task, part


def _failed_by(task: Task, part: SubTask) -> list[SubTask]:
    """Those that failed or were skipped because of it, and need nothing else that failed."""
    failed = failed_sub_tasks(task)
    chosen = only_waiting_for(part.pk, [one.pk for one in failed])
    return [one for one in failed if one.pk in chosen and one.error_kind == "dependency_failed"]


def _record(
    task: Task,
    part: SubTask,
    action: Action,
    before: dict[str, Any],
    after: dict[str, Any] | None = None,
    *,
    reason: str,
    actor: Actor,
    at: datetime,
) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"sub_task:{part.pk}",
        related=[f"task:{task.pk}", f"agent:{task.agent_id}"],
        before=before,
        after=after or {"status": part.status},
        reason=reason,
        at=at,
    )
