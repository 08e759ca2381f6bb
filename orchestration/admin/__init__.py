"""The app in the admin: tasks, sub-tasks and attempts with their controls; concurrency limits."""

from orchestration.admin.attempt import AttemptAdmin
from orchestration.admin.command import CommandAdmin
from orchestration.admin.concurrency import ConcurrencyAdmin
from orchestration.admin.sub_task import SubTaskAdmin
from orchestration.admin.task import TaskAdmin

__all__ = ["AttemptAdmin", "CommandAdmin", "ConcurrencyAdmin", "SubTaskAdmin", "TaskAdmin"]
