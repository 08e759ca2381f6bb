"""`manage.py rename SCOPE NAME --reason WHY`."""

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from keys import services as keys
from security.actor import Actor


class Command(BaseCommand):
    """Give an agent or a cost centre another name on pages."""

    help = "Give an agent or a cost centre another name on pages. Its name in the API stays."

    def add_arguments(self, parser: CommandParser) -> None:
        """Define what is renamed, its name, and why."""
        parser.add_argument("scope", metavar="SCOPE", help="agent:NAME or centre:NAME.")
        parser.add_argument("name", metavar="NAME", help="The new name on pages.")
        parser.add_argument("--reason", required=True, metavar="WHY", help="People read it.")

    def handle(self, *, scope: str, name: str, reason: str, **options: object) -> None:
        """Rename it."""
        kind, _, slug = scope.partition(":")
        rename = {"agent": keys.rename_agent, "centre": keys.rename_cost_centre}.get(kind)
        if rename is None:
            raise CommandError("Use agent:NAME or centre:NAME as the scope.")
        with refusals_as_command_errors():
            rename(slug, name=name, reason=reason, actor=Actor.command_line(), now=timezone.now())
        self.stdout.write(f"{scope} is called {name}.")
