"""`manage.py work`."""

from django.conf import settings
from django.core.management.base import BaseCommand

from orchestration.worker import Processes


class Command(BaseCommand):
    """Run the sub-agents of tasks."""

    help = (
        "Run the sub-agents of tasks in BUTLER_TASK_WORKERS processes. Each process runs many "
        "of them at the same time."
    )

    def handle(self, *args: object, **options: object) -> None:
        """Work until SIGTERM or Ctrl-C."""
        Processes(settings.TASK_WORKERS).run()
