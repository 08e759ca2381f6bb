"""`manage.py load_demo_task`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from common.commands import refusals_as_command_errors
from orchestration import demo_task, services


class Command(BaseCommand):
    """Submit the demo task; running the command again changes nothing."""

    help = (
        "Submit a first task as the demo agent ada: three sub-tasks with 100,000 tokens, which the "
        "sandbox provider runs at no cost. Running the command again changes nothing."
    )

    def handle(self, **options: Any) -> None:
        """Submit the task and print its id."""
        with refusals_as_command_errors():
            task, _ = services.submit(
                agent=demo_task.AGENT,
                request=demo_task.TASK_REQUEST,
                idempotency_key=demo_task.IDEMPOTENCY_KEY,
                now=timezone.now(),
            )
        if options["verbosity"]:
            self.stdout.write(f"Submitted task {task.pk}: {task.name}.")
