"""`manage.py task_priority TASK PRIORITY --reason WHY`."""

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from orchestration import services
from orchestration.services.task_request import PRIORITIES
from security.actor import Actor


class Command(BaseCommand):
    """Change the priority of a task, also while it runs."""

    help = (
        "Change which tasks of an agent start first. It counts for the sub-tasks that have not "
        'started. Example: task_priority 7 critical --reason "The release"'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the task and its priority."""
        parser.add_argument("task", type=int, metavar="TASK", help="The id of the task.")
        parser.add_argument("priority", choices=PRIORITIES, help="Among the tasks of its agent.")
        parser.add_argument("--reason", required=True, metavar="WHY", help="People read it.")

    def handle(self, *, task: int, priority: str, reason: str, **options: object) -> None:
        """Change the priority."""
        with refusals_as_command_errors():
            changed = services.set_priority(
                task_id=task,
                priority=priority,
                reason=reason,
                actor=Actor.command_line(),
                now=timezone.now(),
            )
        self.stdout.write(f"The priority of the task {changed.name} is {priority}.")
