"""`manage.py install_schedules`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from butler_site import schedules


class Command(BaseCommand):
    """Make the schedules of django-q2 what `butler_site.schedules` says."""

    help = "Add, change and remove schedules of the queue as the code says. Twice is once."

    def handle(self, **options: Any) -> None:
        """Apply the list, say what changed."""
        changes = schedules.install(now=timezone.now())
        if options["verbosity"]:
            self.stdout.write(
                f"Schedules: {changes.added} added, {changes.changed} changed, "
                f"{changes.removed} removed."
            )
