"""Retry what failed of a task: everything once it has ended, or one sub-task at any time."""

from collections import defaultdict
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from common.statements import fetch_unprepared
from orchestration import planning, sql
from orchestration.audit_actions import Action
from orchestration.models import Dependency, SubTask, Task
from orchestration.refusals import (
    BudgetTooSmall,
    NothingToRetry,
    SubTaskNotFound,
    TaskCancelling,
    TaskNotEnded,
    TaskTextsDeleted,
)
from orchestration.services.claim import spent_tokens
from orchestration.services.keyed_changes import is_repeated
from orchestration.services.open_work import check_open_work
from orchestration.services.task_control import (
    audited_values,
    lock_task,
    record,
    set_status,
)
from orchestration.services.wakeup import wake
from orchestration.task_budget import TOKENS_MIN
from security.actor import Actor

S = SubTask.Status


@transaction.atomic(durable=True)
def retry_failed(
    *,
    task_id: int,
    key: str | None = None,
    additional_budget: int = 0,
    idempotency_key: str | None = None,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> Task:
    """Run failed and cancelled sub-tasks, and those that depend on them, once more.

    `key`: only this sub-task, those that it needs, and those that only wait for these, also while
    others run; None: all. Succeeded sub-tasks, and those that a person skipped, stay as they are;
    a skipped one that is named runs, unless one that depends on it has started without it.
    The budget grows by `additional_budget` tokens; what is left beyond the shares is for those that
    had used up theirs. Where the shares no longer fit into what is left, they are split again.
    Repeating the call with its idempotency key changes nothing. Refusals: TaskNotFound,
    TaskNotEnded, TaskCancelling, IdempotencyMismatch, SubTaskNotFound, NothingToRetry,
    TaskTextsDeleted, BudgetTooSmall, TooManyOpenTasks, TooManyOpenSubTasks.
    """
    task = lock_task(task_id)
    if is_repeated(task, idempotency_key, request=f"retry {additional_budget} {key or ''}"):
        return task
    if task.status == Task.Status.CANCELLING:
        raise TaskCancelling(task_id=task_id)
    if not task.is_over and key is None:
        raise TaskNotEnded(task_id=task_id, status=task.status)
    again = _failed(task, key)
    before = audited_values(task)
    task.add_to_budget(additional_budget)
    restart(task, again, now=now)
    reopen(task, f"retried by {actor}", now=now)
    record(task, Action.TASK_RETRY, before, reason=reason, actor=actor, now=now)
    wake()
    return task


def restart(task: Task, again: list[SubTask], *, now: datetime) -> None:
    """Let ended sub-tasks of a locked task start again, with shares of what is left of its budget.

    The caller saves the task. Refusals: TaskTextsDeleted, BudgetTooSmall, TooManyOpenTasks,
    TooManyOpenSubTasks.
    """
    check_open_work(task.agent_id, sub_tasks=len(again), tasks=int(task.is_over))
    if task.texts_deleted_at:
        raise TaskTextsDeleted(task_id=task.pk)
    _share_out(task, again)
    _restart(again, now=now)


def reopen(task: Task, reason: str, *, now: datetime) -> None:
    """Save the task, which is active again if it had ended, with a deadline of its own."""
    if not task.is_over:
        task.save()
        return
    task.ended_at = None
    task.deadline_at = now + timedelta(seconds=task.timeout_seconds)
    set_status(task, Task.Status.ACTIVE, reason)


def _failed(task: Task, key: str | None) -> list[SubTask]:
    """The failed and cancelled sub-tasks, or those of them that a retry of one takes along."""
    again = failed_sub_tasks(task)
    if key is not None:
        part = SubTask.objects.filter(task=task, key=key).first()
        if part is None:
            raise SubTaskNotFound(task_id=task.pk, sub_task=key)
        if part.error_kind == "skipped" and _wait_for_it_again(part):
            again.append(part)
        chosen = with_dependencies(part.pk, [one.pk for one in again])
        again = [one for one in again if one.pk in chosen]
    if not again:
        raise NothingToRetry(task_id=task.pk)
    return again


def _wait_for_it_again(skipped: SubTask) -> bool:
    """Let those that depend on a skipped sub-task wait for it again; False if one went on."""
    dependents = SubTask.objects.filter(dependencies__needs=skipped)
    if dependents.filter(Q(attempts_made__gt=0) | Q(status=S.SUCCEEDED)).exists():
        return False
    to_come = dependents.filter(status__in=SubTask.TO_COME)
    ids = list(to_come.values_list("pk", flat=True))
    SubTask.objects.filter(pk__in=ids).update(status=S.BLOCKED, waiting_since=None)
    return True


def failed_sub_tasks(task: Task) -> list[SubTask]:
    """The failed and cancelled sub-tasks, but those that a person skipped: others went on without
    their results."""
    rows = SubTask.objects.filter(task=task, position__gt=0, status__in=(S.FAILED, S.CANCELLED))
    return list(rows.exclude(error_kind="skipped").defer("sealed_description", "sealed_result"))


def with_dependencies(part: int, failed: list[int]) -> set[int]:
    """The one of `failed`, the failed ones that it needs, and those that only wait for these.

    Ids of sub-tasks. A sub-task that needs another failed one could never start, so it is left out.
    """
    if part not in failed:
        return set()
    needs = _needs_among(failed)
    chosen, left = set[int](), [part]
    while left:
        one = left.pop()
        chosen.add(one)
        left += needs[one] - chosen
    return chosen | _only_waiting_for(chosen, needs)


def only_waiting_for(part: int, failed: list[int]) -> set[int]:
    """Those of `failed` that need the part and, directly or through others, nothing else failed."""
    return _only_waiting_for({part}, _needs_among([part, *failed]))


def _needs_among(sub_tasks: list[int]) -> dict[int, set[int]]:
    """What each of these sub-tasks needs of the others, by ids."""
    needs: dict[int, set[int]] = {one: set() for one in sub_tasks}
    among = Dependency.objects.filter(sub_task__in=sub_tasks, needs__in=sub_tasks)
    for one, needed in among.values_list("sub_task", "needs"):
        needs[one].add(needed)
    return needs


def _only_waiting_for(chosen: set[int], needs: dict[int, set[int]]) -> set[int]:
    """Those that need some of `chosen` and, directly or through others, nothing else."""
    dependents = defaultdict(set)
    for one, needed in needs.items():
        for each in needed:
            dependents[each].add(one)
    found, left = set[int](), list(chosen)
    while left:
        for one in dependents[left.pop()] - found - chosen:
            if needs[one] <= found | chosen:
                found.add(one)
                left.append(one)
    return found


def _share_out(task: Task, again: list[SubTask]) -> None:
    """The shares of the sub-tasks, scaled to fit into what is left of the budget.

    What is left beyond them is for those that had used up their share.
    """
    left = max(task.free - _promised_to_others(task), 0)
    if left < len(again) * planning.PART_TOKENS_MIN:
        raise BudgetTooSmall(
            f"The budget has {left:,} tokens left, too few for {len(again)} sub-tasks. Send "
            "additional_budget.",
            left=left,
            needed=len(again) * planning.PART_TOKENS_MIN,
        )
    # A share covers all attempts of a sub-task, so what earlier attempts used is added.
    spent = spent_tokens([one.pk for one in again])
    shares = planning.shares_within([one.share for one in again], total=left)
    more = _more(again, left - sum(shares))
    for one, share in zip(again, shares, strict=True):
        one.share = share + more.get(one.pk, 0) + spent.get(one.pk, 0)


def _promised_to_others(task: Task) -> int:
    """What is left of the shares of its sub-tasks that have not started."""
    if task.is_over:
        return 0
    found = fetch_unprepared(sql.PROMISED_TOKENS, tasks=[task.pk], least=TOKENS_MIN)
    return sum(each.promised for each in found)


def _more(sub_tasks: list[SubTask], tokens: int) -> dict[int, int]:
    """What those that had used up their share get of `tokens`, by id, in proportion to shares."""
    used_up = [one for one in sub_tasks if one.error_kind == "budget_exhausted"]
    if not used_up or tokens < len(used_up):
        return {}
    claims = [max(one.share, 1) * tokens for one in used_up]
    lowered = planning.shares_within(claims, total=tokens)
    return {one.pk: share for one, share in zip(used_up, lowered, strict=True)}


def _restart(again: list[SubTask], *, now: datetime) -> None:
    skipped = Q(needs__status=S.CANCELLED, needs__error_kind="skipped")
    ended = Q(needs__status__in=(S.FAILED, S.CANCELLED), sub_task__if_dependency_fails="run")
    # Those of `again` are about to start.
    ended &= ~Q(needs__in=again)
    unmet = Dependency.objects.exclude(needs__status=S.SUCCEEDED).exclude(skipped).exclude(ended)
    waits = set(unmet.filter(sub_task__in=again).values_list("sub_task", flat=True))
    for one in again:
        gated = one.needs_approval and not one.approved_at
        one.status = S.BLOCKED if one.pk in waits else S.GATED if gated else S.WAITING
        one.retries = one.recoveries = 0
        one.error_kind = one.error = ""
        one.sealed_result = one.tokens_max = None
        one.not_before = one.waiting_since = now
        one.ended_at = None
    columns = (
        "share",
        "tokens_max",
        "status",
        "retries",
        "recoveries",
        "error_kind",
        "error",
        "sealed_result",
    )
    SubTask.objects.bulk_update(
        again, [*columns, "not_before", "waiting_since", "ended_at"], batch_size=500
    )
