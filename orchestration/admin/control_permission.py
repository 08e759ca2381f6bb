"""Which users may control tasks in the admin, and with which actions."""

from django.db.models import Model
from django.http import HttpRequest

from common.admin.read_only import ReadOnlyAdmin
from orchestration.models import SubTask, Task

STEER = "steer"


class TaskControlAdmin(ReadOnlyAdmin):
    """Rows with actions that control a task: cancel, pause, resume, retry, approve.

    The permission is checked by a method: a system check would look up one named `app.codename` in
    the database, even before its tables exist.
    """

    def has_steer_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Users with the permission to control tasks."""
        return request.user.has_perm("orchestration.steer_task")


def fitting_actions(task: Task) -> set[str]:
    """The names of the actions that the status of the task allows."""
    if task.is_over:
        failed = SubTask.objects.filter(
            task=task, position__gt=0, status__in=(SubTask.Status.FAILED, SubTask.Status.CANCELLED)
        )
        return {"retry_failed"} if failed.exists() else set()
    return {"active": {"cancel", "pause"}, "paused": {"cancel", "resume"}}.get(task.status, set())
