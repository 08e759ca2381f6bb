"""`manage.py freeze SCOPE --reason WHY [--drain]`, `manage.py freeze --list`."""

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from keys import services as keys
from keys.models import Freeze, FreezeMode
from security.actor import Actor


class Command(BaseCommand):
    """Freeze an API key, a provider, an agent, a cost centre or everything, or list freezes."""

    help = (
        "Stop everything that SCOPE spends, in every process. What is frozen on the command line "
        "is thawed by a person in the admin or with an agent token, not on the command line."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define what is frozen, why, and what happens to running calls."""
        parser.add_argument(
            "scope",
            nargs="?",
            metavar="SCOPE",
            help="key:NAME, provider:NAME, agent:NAME, centre:NAME (a cost centre with all below "
            "it) or all.",
        )
        parser.add_argument("--reason", metavar="WHY", help="Why it is frozen; people read it.")
        parser.add_argument(
            "--drain",
            action="store_const",
            const=FreezeMode.DRAIN,
            default=FreezeMode.CUT,
            dest="mode",
            help="Let running calls end by themselves. Without it, they are ended at once.",
        )
        parser.add_argument("--list", action="store_true", help="List what is frozen.")

    def handle(
        self,
        *,
        scope: str | None,
        reason: str | None,
        mode: str,
        list: bool,  # noqa: A002 - the name of the option
        **options: object,
    ) -> None:
        """Freeze the scope, or list what is frozen."""
        if list:
            for row in Freeze.objects.filter(thawed_at=None):
                self.stdout.write(_line(row))
            return
        if not scope or not reason:
            raise CommandError("Name what to freeze, and say why with --reason.")
        with refusals_as_command_errors():
            row, _ = keys.freeze(
                scope, mode=mode, reason=reason, actor=Actor.command_line(), now=timezone.now()
            )
        self.stdout.write(f"Frozen: {_line(row)}")


def _line(row: Freeze) -> str:
    since = f"{row.frozen_at:%Y-%m-%d %H:%M} UTC"
    return f"{row.pk} {row.scope} ({row.mode}) by {row.frozen_by_name} since {since}: {row.reason}"
