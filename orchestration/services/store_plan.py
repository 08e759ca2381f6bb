"""Store a plan as rows: sub-tasks and their dependencies."""

from collections.abc import Sequence
from datetime import datetime

from orchestration.models import Dependency, ExperimentPart, SubTask, Task
from orchestration.planning import WEIGHTS, Part
from orchestration.services.experiments import assign_parts
from orchestration.task_texts import TaskTexts, description_of, texts_of

_AT_ONCE = 1_000


def write_sub_tasks(
    task: Task, parts: Sequence[Part], shares: Sequence[int], *, first: int, now: datetime
) -> None:
    """Store the parts of a plan as sub-tasks; `shares` in tokens, positions count from `first`."""
    texts, weights = texts_of(task), _weights(parts)
    rows = [
        _row(task, part, share, weights[part.key], texts=texts, position=first + n, now=now)
        for n, (part, share) in enumerate(zip(parts, shares, strict=True))
    ]
    assigned = assign_parts(task, rows, now=now)
    SubTask.objects.bulk_create(rows, batch_size=_AT_ONCE)
    ExperimentPart.objects.bulk_create(assigned, batch_size=_AT_ONCE)
    by_key = {row.key: row for row in rows}
    needed = [
        Dependency(sub_task=by_key[part.key], needs=by_key[key])
        for part in parts
        for key in dict.fromkeys(part.depends_on)
    ]
    Dependency.objects.bulk_create(needed, batch_size=5 * _AT_ONCE)


def _weights(parts: Sequence[Part]) -> dict[str, float]:
    """The weight of each part by its key: its own, or that of the weightiest that depends on it.

    What is urgent is not held up by what it needs. Each part follows its dependencies.
    """
    weights = {part.key: WEIGHTS[part.priority] for part in parts}
    for part in reversed(parts):
        for key in part.depends_on:
            weights[key] = max(weights[key], weights[part.key])
    return weights


def _row(
    task: Task,
    part: Part,
    share: int,
    weight: float,
    *,
    texts: TaskTexts,
    position: int,
    now: datetime,
) -> SubTask:
    status = SubTask.Status.BLOCKED if part.depends_on else first_status(part.needs_approval)
    return SubTask(
        task=task,
        position=position,
        key=part.key,
        name=part.name[:200],
        sealed_description=texts.seal(part.description, place=description_of(position)),
        status=status,
        priority=part.priority,
        weight=weight,
        estimated_tokens=part.estimated_tokens,
        share=share,
        runner=part.runner or task.runner,
        model=part.model or task.model,
        provider=part.provider or task.provider,
        if_dependency_fails=part.if_dependency_fails,
        needs_approval=part.needs_approval,
        not_before=now,
        waiting_since=None if status == SubTask.Status.BLOCKED else now,
    )


def first_status(needs_approval: bool) -> str:
    """The status of a sub-task whose dependencies are done: waiting, or gated for an approval."""
    return SubTask.Status.GATED if needs_approval else SubTask.Status.WAITING
