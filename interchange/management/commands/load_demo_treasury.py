"""`manage.py load_demo_treasury`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from common.commands import refusals_as_command_errors
from interchange import demo_treasury


class Command(BaseCommand):
    """Set up play money and a policy with which Butler buys credit from the simulator."""

    help = (
        "Put play money on the simulator of payments, and set a policy by which Butler buys credit "
        "with it. If there is any payee, nothing is changed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Set it up, then say whether that was needed."""
        with refusals_as_command_errors():
            is_new = demo_treasury.load(now=timezone.now())
        if options["verbosity"]:
            self.stdout.write("Play money is ready." if is_new else "There is a payee already.")
