"""`manage.py hide_key NAME --reason WHY [--show]`."""

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from keys import services as keys
from security.actor import Actor


class Command(BaseCommand):
    """Hide an API key that was never lent, or show it again."""

    help = (
        "Take an API key that was never lent out of lists and choices, such as a mistyped one. Its "
        "history stays, and --show lists it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the key and the reason."""
        parser.add_argument("name", metavar="NAME", help="The API key.")
        parser.add_argument("--reason", required=True, metavar="WHY", help="People read it.")
        parser.add_argument("--show", action="store_true", help="List it again.")

    def handle(self, *, name: str, reason: str, show: bool, **options: object) -> None:
        """Hide or show it."""
        act = keys.show_key if show else keys.hide_key
        with refusals_as_command_errors():
            act(name, reason=reason, actor=Actor.command_line(), now=timezone.now())
        self.stdout.write(f"The API key {name} is {'listed again' if show else 'hidden'}.")
