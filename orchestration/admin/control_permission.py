"""Who may steer tasks in the admin, and how."""

from common.admin.read_only import ReadOnlyAdmin
from orchestration.models import SubTask, Task

STEER = "steer"


class SteeredAdmin(ReadOnlyAdmin):
    """Rows with actions that steer a task.

    The permission stands behind a method: one that actions name as `app.codename` is looked up in
    the database by a system check, also before there are tables.
    """

    def has_steer_permission(self, request, obj=None):
        """Who may steer tasks."""
        return request.user.has_perm("orchestration.steer_task")


def fitting_actions(task: Task) -> set[str]:
    """The actions that make sense now."""
    if task.is_over:
        failed = SubTask.objects.filter(
            task=task, position__gt=0, status__in=(SubTask.Status.FAILED, SubTask.Status.CANCELLED)
        )
        return {"retry_failed"} if failed.exists() else set()
    return {"active": {"cancel", "pause"}, "paused": {"cancel", "resume"}}.get(task.status, set())
