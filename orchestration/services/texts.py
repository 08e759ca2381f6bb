"""Show prompts and results of a task to a person, and delete them when their retention is over."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat

from orchestration.audit_actions import Action
from orchestration.models import Attempt, SubTask, Task
from orchestration.task_texts import TaskTexts, texts_of
from security import audit
from security.actor import Actor

_BATCH = 200


def look_at_texts(task: Task, *, subject: str, actor: Actor, now: datetime) -> TaskTexts:
    """The texts of a task, for a person to read; who looks is recorded first.

    `subject`: the page, `task:…` or `sub_task:…`. Without texts nothing is recorded. Refusal:
    CannotUnseal.
    """
    if task.content_key:
        with transaction.atomic():
            audit.record(
                actor=actor,
                action=Action.TASK_LOOK,
                subject=subject,
                related=[
                    f"task:{task.pk}",
                    f"agent:{task.agent_id}",
                    f"centre:{task.cost_centre_id}",
                ],
                at=now,
            )
    return texts_of(task)


def delete_old_texts(*, now: datetime, batch: int = _BATCH) -> int:
    """Delete the texts of tasks that ended `settings.TASK_TEXT_DAYS` ago, with errors and names.

    `batch` tasks at a time. Returns the number of these tasks.
    """
    deleted = 0
    while count := _delete_some(now, batch):
        deleted += count
    return deleted


@transaction.atomic
def _delete_some(now: datetime, batch: int) -> int:
    ended_until = now - timedelta(days=settings.TASK_TEXT_DAYS)
    old = Task.objects.filter(texts_deleted_at=None, ended_at__lte=ended_until)
    locked = old.order_by("pk").select_for_update(skip_locked=True, no_key=True)
    tasks = list(locked.values_list("pk", flat=True)[:batch])
    # A name may be the beginning of a description, and what programs and providers printed may
    # repeat a prompt.
    SubTask.objects.filter(task__in=tasks).update(
        name=Concat(Value("sub-task "), Cast("position", CharField())),
        sealed_description=None,
        sealed_result=None,
        error="",
    )
    Attempt.objects.filter(task__in=tasks).update(error="", facts={})
    return Task.objects.filter(pk__in=tasks).update(
        content_key=None, sealed_description=None, texts_deleted_at=now
    )
