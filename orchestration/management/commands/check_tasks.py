"""`manage.py check_tasks`."""

from common.row_checks import CheckCommand, Finding
from orchestration.queries.tasks_check import tasks_check


class Command(CheckCommand):
    """Check every invariant of tasks against the rows."""

    help = (
        "Check every invariant of tasks, sub-tasks and attempts against the rows. If one is "
        "broken, print the name of the first and its first rows, and end with exit code 1. "
        "Changes nothing."
    )
    balance = "The tasks balance"

    def findings(self) -> list[Finding]:
        """The findings of the tasks check."""
        return tasks_check()
