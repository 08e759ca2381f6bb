"""`manage.py move SCOPE --to NAME --reason WHY [--end-open-work]`."""

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from keys import services as keys
from security.actor import Actor


class Command(BaseCommand):
    """Move an agent or a cost centre."""

    help = (
        "Let another cost centre pay for an agent, or put a cost centre with all below it under "
        "another one, from now on. What was spent stays where it was spent."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define what moves, where to, why, and what happens to open work."""
        parser.add_argument("scope", metavar="SCOPE", help="agent:NAME or centre:NAME.")
        parser.add_argument(
            "--to", required=True, metavar="NAME", help="The cost centre, or top for a new root."
        )
        parser.add_argument("--reason", required=True, metavar="WHY", help="People read it.")
        parser.add_argument(
            "--end-open-work",
            action="store_const",
            const=keys.OpenWorkRule.END,
            default=keys.OpenWorkRule.REFUSE,
            dest="open_work",
            help="End open sessions and cancel unfinished tasks. Without it, they are listed and "
            "nothing moves.",
        )

    def handle(
        self, *, scope: str, to: str, reason: str, open_work: keys.OpenWorkRule, **options: object
    ) -> None:
        """Move it."""
        kind, _, name = scope.partition(":")
        if kind not in ("agent", "centre"):
            raise CommandError("Use agent:NAME or centre:NAME as the scope.")
        with refusals_as_command_errors():
            if kind == "agent":
                keys.move_agent(
                    name,
                    cost_centre=to,
                    open_work=open_work,
                    reason=reason,
                    actor=Actor.command_line(),
                    now=timezone.now(),
                )
            else:
                keys.move_cost_centre(
                    name,
                    parent="" if to == "top" else to,
                    open_work=open_work,
                    reason=reason,
                    actor=Actor.command_line(),
                    now=timezone.now(),
                )
        self.stdout.write(f"{scope} moved to {to}.")
