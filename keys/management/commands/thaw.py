"""`manage.py thaw FREEZE --reason WHY`."""

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from keys import services as keys
from security.actor import Actor


class Command(BaseCommand):
    """Thaw what a person or an agent froze."""

    help = (
        "Let what is frozen spend again. `manage.py freeze --list` shows the numbers of freezes. "
        "What was frozen on the command line is thawed by a person in the admin or with an agent "
        "token."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the freeze and the reason."""
        parser.add_argument("freeze", type=int, metavar="FREEZE", help="The number of the freeze.")
        parser.add_argument(
            "--reason", required=True, metavar="WHY", help="Why it is thawed; people read it."
        )

    def handle(self, *, freeze: int, reason: str, **options: object) -> None:
        """Thaw it."""
        with refusals_as_command_errors():
            row, _ = keys.thaw(
                freeze, reason=reason, actor=Actor.command_line(), now=timezone.now()
            )
        self.stdout.write(f"{row.scope} is thawed by {row.thawed_by_name}.")
