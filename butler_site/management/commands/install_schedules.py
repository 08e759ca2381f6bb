"""`manage.py install_schedules`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from butler_site import schedules


class Command(BaseCommand):
    """Bring the schedules of django-q2 in line with the list in `butler_site.schedules`."""

    help = (
        "Add, change and remove schedules of the queue to match the list in the code. "
        "Running the command again changes nothing."
    )

    def handle(self, **options: Any) -> None:
        """Install the schedules and print how many changed."""
        changes = schedules.install(now=timezone.now())
        if options["verbosity"]:
            self.stdout.write(
                f"Schedules: {changes.added} added, {changes.changed} changed, "
                f"{changes.removed} removed."
            )
