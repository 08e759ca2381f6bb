"""`manage.py create_centre NAME [--parent P] [--title T]`."""

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from keys import services as keys
from security.actor import Actor


class Command(BaseCommand):
    """Create a cost centre."""

    help = "Create a cost centre, such as a team, below another one or beside the first."

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the cost centre."""
        parser.add_argument("name", metavar="NAME", help="1 to 64 of a-z, 0-9, - and _.")
        parser.add_argument(
            "--parent", metavar="P", help="The cost centre above it. The default is none."
        )
        parser.add_argument("--title", default="", metavar="T", help="What people read.")
        parser.add_argument("--reason", default="", metavar="WHY", help="People read it.")

    def handle(
        self, *, name: str, parent: str | None, title: str, reason: str, **options: object
    ) -> None:
        """Create it."""
        with refusals_as_command_errors():
            keys.create_cost_centre(
                name,
                name=title,
                parent=parent,
                reason=reason,
                actor=Actor.command_line(),
                now=timezone.now(),
            )
        self.stdout.write(f"Created the cost centre {name}.")
