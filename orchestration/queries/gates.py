"""Gates: sub-tasks that a person must approve before they start."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from common.admin.visible_rows import visible_to, within
from orchestration.models import SubTask
from security.delegations import delegations_to
from security.models import Delegation

STEER = "orchestration.steer_task"
VIEW = "orchestration.view_subtask"

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


def gates_for(delegation: Delegation) -> QuerySet[SubTask]:
    """The gates at which the deputy approves in the place of the absent person: those that the
    absent person may approve now, in the part of the tree that the delegation is for."""
    rows, absent = gates(), delegation.absent
    if not absent.has_perm(STEER):
        return rows.none()
    of_part = within(delegation.cost_centre, rows) if delegation.cost_centre else rows
    return visible_to(absent, of_part)


def visible_gates(user: Any, *, now: datetime) -> QuerySet[SubTask]:
    """The gates that the user may look at, in their own right or as a deputy."""
    found = visible_to(user, gates()) if user.has_perm(VIEW) else gates().none()
    for each in delegations_to(user, now=now):
        found = found | gates_for(each)
    return found


def absent_at_gates(user: Any, sub_tasks: Sequence[int], *, now: datetime) -> dict[int, str]:
    """In whose place the user approves which of these gates; those of their own right are left
    out. No query if they are nobody's deputy."""
    delegations = delegations_to(user, now=now)
    if not (delegations and sub_tasks):
        return {}
    wanted = {*sub_tasks}
    own = _among(visible_to(user, gates()), wanted) if user.has_perm(STEER) else set()
    found: dict[int, str] = {}
    for each in delegations:
        for pk in _among(gates_for(each), wanted) - own:
            found.setdefault(pk, each.absent.username)
    return found


def _among(rows: QuerySet[SubTask], wanted: set[int]) -> set[int]:
    return set(rows.filter(pk__in=wanted).order_by().values_list("pk", flat=True))


def can_be_approved(sub_task: SubTask) -> bool:
    """Whether it waits for an approval, now or once its dependencies have succeeded."""
    waits = sub_task.status in SubTask.TO_COME and not sub_task.task.is_over
    return waits and sub_task.needs_approval and not sub_task.approved_at
