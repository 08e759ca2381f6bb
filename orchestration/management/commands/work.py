"""`manage.py work`."""

from django.conf import settings
from django.core.management.base import BaseCommand

from orchestration.worker import Processes


class Command(BaseCommand):
    """Run the sub-agents of tasks."""

    help = "Run the sub-agents of tasks, many in each of BUTLER_TASK_WORKERS processes."

    def handle(self, *args: object, **options: object) -> None:
        """Until SIGTERM or Ctrl-C."""
        Processes(settings.TASK_WORKERS).run()
