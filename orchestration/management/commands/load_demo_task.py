"""`manage.py load_demo_task`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from common.commands import refusals_as_command_errors
from orchestration import demo_task, services


class Command(BaseCommand):
    """Submit the demo task; twice is once."""

    help = (
        "Submit a first task of the demo fleet's agent ada: three parts, 100,000 tokens, carried "
        "out by the sandbox provider at no cost. Running it again changes nothing."
    )

    def handle(self, **options: Any) -> None:
        """Submit it, say which it is."""
        with refusals_as_command_errors():
            task, _ = services.submit(
                agent=demo_task.AGENT,
                request=demo_task.TASK_REQUEST,
                idempotency_key=demo_task.IDEMPOTENCY_KEY,
                now=timezone.now(),
            )
        if options["verbosity"]:
            self.stdout.write(f"Submitted task {task.pk}: {task.name}.")
