"""Gates: sub-tasks that a person must approve before they start."""

from django.db.models import QuerySet

from orchestration.models import SubTask

# Texts, which pages of gates do not show.
_SEALED = ("sealed_description", "sealed_result", "task__sealed_description", "task__content_key")


def gates() -> QuerySet[SubTask]:
    """Sub-tasks that need, or needed, an approval, with their tasks."""
    return SubTask.objects.filter(needs_approval=True).select_related("task").defer(*_SEALED)


def waiting_gates() -> QuerySet[SubTask]:
    """Those that would start now if a person approved them, the oldest task first."""
    return gates().filter(status=SubTask.Status.GATED).order_by("task", "position")


def approved_gates() -> QuerySet[SubTask]:
    """Those that a person has approved, the latest first."""
    return gates().filter(approved_at__isnull=False).order_by("-approved_at", "-pk")


def can_be_approved(sub_task: SubTask) -> bool:
    """Whether it waits for an approval, now or once its dependencies have succeeded."""
    waits = sub_task.status in SubTask.TO_COME and not sub_task.task.is_over
    return waits and sub_task.needs_approval and not sub_task.approved_at
