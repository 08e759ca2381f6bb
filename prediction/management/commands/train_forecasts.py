"""`manage.py train_forecasts`: learn a new version of the forecasts now."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from prediction import services


class Command(BaseCommand):
    """Learns from the newest settled work, and uses what was learned."""

    help = "Learn a new version of the forecasts from the newest settled work, and use it."

    def handle(self, *args: Any, **options: Any) -> None:
        """Record what has ended, train, and say what came of it."""
        services.record_settled_work(now=timezone.now())
        version = services.train_model(now=timezone.now())
        if version is None:
            self.stdout.write("There is too little settled work, or another training runs.")
            return
        self.stdout.write(f"Version {version.pk} learned from {version.rows:,} rows.")
