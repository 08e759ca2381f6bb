"""`manage.py close_centre NAME --reason WHY [--agents-to NAME] [--end-open-work]`."""

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from keys import services as keys
from security.actor import Actor


class Command(BaseCommand):
    """Close a cost centre with all below it, or open it again."""

    help = (
        "Close a cost centre with all below it: nothing new is lent in their names, and what was "
        "spent stays. Its agents are switched off, or moved. --reopen opens it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the cost centre, why, and what becomes of its agents and its open work."""
        parser.add_argument("name", metavar="NAME", help="The cost centre.")
        parser.add_argument("--reason", required=True, metavar="WHY", help="People read it.")
        parser.add_argument("--reopen", action="store_true", help="Open it again.")
        parser.add_argument(
            "--agents-to",
            default="",
            metavar="NAME",
            help="The cost centre that pays for its agents from now on.",
        )
        parser.add_argument(
            "--end-open-work",
            action="store_const",
            const=keys.OpenWorkRule.END,
            default=keys.OpenWorkRule.REFUSE,
            dest="open_work",
            help="End open sessions and cancel unfinished tasks. Without it, they are listed and "
            "nothing closes.",
        )

    def handle(
        self,
        *,
        name: str,
        reason: str,
        reopen: bool,
        agents_to: str,
        open_work: keys.OpenWorkRule,
        **options: object,
    ) -> None:
        """Close or reopen it."""
        actor, now = Actor.command_line(), timezone.now()
        with refusals_as_command_errors():
            if reopen:
                keys.reopen_cost_centre(name, reason=reason, actor=actor, now=now)
            else:
                keys.close_cost_centre(
                    name,
                    agents_to=agents_to,
                    open_work=open_work,
                    reason=reason,
                    actor=actor,
                    now=now,
                )
        self.stdout.write(f"The cost centre {name} is {'open' if reopen else 'closed'}.")
