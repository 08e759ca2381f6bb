"""`manage.py set_concurrency SCOPE NUMBER --reason WHY`, `manage.py set_concurrency --list`."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from orchestration import services
from orchestration.queries.concurrency_limits import concurrency_limits
from security.actor import Actor

_NO_LIMIT = "none"


class Command(BaseCommand):
    """Set, change or remove how many sub-agents of a scope run at once, or list these limits."""

    help = (
        "Set how many sub-agents run at the same time: in all, of an agent, of a cost centre with "
        "those below it, of a provider or of a runner. The others wait; running ones continue. "
        'Example: set_concurrency centre:research 20 --reason "Start small"'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define what is limited, and the limit."""
        add = parser.add_argument
        add(
            "scope",
            nargs="?",
            metavar="SCOPE",
            help="all, agent:NAME, centre:NAME, provider:NAME or runner:NAME.",
        )
        add(
            "number",
            nargs="?",
            metavar="NUMBER",
            help="How many sub-agents may run at once: with 0 none starts, and none removes the "
            "limit.",
        )
        add("--reason", metavar="WHY", help="Why it is changed; people read it.")
        add("--list", action="store_true", help="List the limits and what runs under each.")

    def handle(
        self,
        *,
        scope: str | None,
        number: str | None,
        reason: str | None,
        list: bool,  # noqa: A002 - the name of the option
        **options: object,
    ) -> None:
        """Set or remove the limit, or list all."""
        if list:
            self._list()
        elif not (scope and number and reason):
            raise CommandError(
                "Name the scope and the number (or none), and say why with --reason."
            )
        elif number.lower() == _NO_LIMIT:
            self._remove(scope, reason)
        else:
            self._set(scope, number, reason)

    def _set(self, scope: str, number: str, reason: str) -> None:
        try:
            most = int(number)
        except ValueError:
            raise CommandError(
                f"{number} is no whole number. Write a number such as 20, or none."
            ) from None
        with refusals_as_command_errors():
            limit = services.set_concurrency(
                scope,
                attempts_max=most,
                reason=reason,
                actor=Actor.command_line(),
                now=timezone.now(),
            )
        self.stdout.write(f"At most {limit.attempts_max:,} sub-agents of {scope} run at once.")

    def _remove(self, scope: str, reason: str) -> None:
        with refusals_as_command_errors():
            was_set = services.remove_concurrency(
                scope, reason=reason, actor=Actor.command_line(), now=timezone.now()
            )
        said = "The concurrency limit of" if was_set else "There was no concurrency limit of"
        self.stdout.write(f"{said} {scope}{' is removed' * was_set}.")

    def _list(self) -> None:
        for each in concurrency_limits():
            note = "" if each.is_set else "  (of the settings)"
            taken = f"{each.running:,} of {each.attempts_max:,} running"
            self.stdout.write(f"{each.scope:<40} {taken}{note}")
        self.stdout.write(
            f"Each agent without a limit here may run {settings.AGENT_ATTEMPTS_MAX:,} at once."
        )
