"""Who may steer tasks in the admin."""

from common.admin_pages import ReadOnlyAdmin

STEER = "steer"


class SteeredAdmin(ReadOnlyAdmin):
    """Rows with actions that steer a task.

    The permission stands behind a method: one that actions name as `app.codename` is looked up in
    the database by a system check, also before there are tables.
    """

    def has_steer_permission(self, request, obj=None):
        """Who may steer tasks."""
        return request.user.has_perm("orchestration.steer_task")
