"""The pages of the app, for the table of links."""

from common import links
from common.links import FilteredPage, Page

links.register(
    {
        # Those that people look at are pages of the dashboard.
        "recorded_task": Page("admin:orchestration_task_change"),
        "recorded_tasks": Page(
            "admin:orchestration_task_changelist", {"which": "which", "status": "status__exact"}
        ),
        "recorded_sub_task": Page("admin:orchestration_subtask_change"),
        "recorded_sub_tasks": Page(
            "admin:orchestration_subtask_changelist",
            {"task": "task__id__exact", "status": "status__exact"},
        ),
        "attempt": Page("admin:orchestration_attempt_change"),
        "attempts": Page(
            "admin:orchestration_attempt_changelist",
            {"task": "task__id__exact", "sub_task": "sub_task__id__exact", "host": "q"},
        ),
        "host": FilteredPage("attempts", by="host"),
        "concurrency_limit": Page("admin:orchestration_concurrency_change"),
        "concurrency_limits": Page("admin:orchestration_concurrency_changelist", {"scope": "q"}),
        "concurrency": FilteredPage("concurrency_limits", by="scope"),
        "command": Page("admin:orchestration_command_change"),
        "commands": Page("admin:orchestration_command_changelist"),
    }
)
