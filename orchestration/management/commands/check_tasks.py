"""`manage.py check_tasks`."""

from common.row_checks import CheckCommand, Finding
from orchestration.queries.tasks_check import tasks_check


class Command(CheckCommand):
    """Count every invariant of tasks again from the rows."""

    help = (
        "Count every invariant of tasks, sub-tasks and attempts again from the rows; exit code 1 "
        "when one is broken, with the name of the first and its first rows. Changes nothing."
    )
    balance = "The tasks balance"

    def findings(self) -> list[Finding]:
        """Of tasks."""
        return tasks_check()
