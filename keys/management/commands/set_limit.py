"""`manage.py set_limit SUBJECT AMOUNT UNIT PERIOD --reason WHY`."""

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from keys import services as keys
from keys.models import Period, Unit
from security.actor import Actor

_KINDS = ("centre", "agent", "key")


class Command(BaseCommand):
    """Give a cost centre, an agent or an API key a limit, or change the one that it has."""

    help = (
        "Set the limit of a cost centre, an agent or an API key. A rise that the approval policy "
        "covers waits for a second person. Example: set_limit centre:research 50 usd month "
        '--reason "Budget of the year"'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define what is limited, and the limit."""
        add = parser.add_argument
        add("subject", metavar="SUBJECT", help="centre:NAME, agent:NAME or key:NAME.")
        add("amount", metavar="AMOUNT", help="Tokens, or US dollars; 1_000_000 is allowed.")
        add("unit", choices=Unit.values, help="What is counted.")
        add("period", choices=Period.values, help="After which the limit begins again, or total.")
        add("--zone", default="UTC", help="The IANA time zone. The default is %(default)s.")
        add(
            "--reset-hour",
            type=int,
            default=0,
            help="The hour at which it begins again. The default is %(default)s.",
        )
        add("--reason", required=True, metavar="WHY", help="People read it.")

    def handle(
        self, *, subject: str, amount: str, unit: str, period: str, reason: str, **options: object
    ) -> None:
        """Set the limit, or ask for an approval."""
        kind, _, name = subject.partition(":")
        if kind not in _KINDS or not name:
            raise CommandError(f"{subject} is not centre:NAME, agent:NAME or key:NAME.")
        try:
            limited = keys.subject_at(subject)
        except ObjectDoesNotExist:
            raise CommandError(f"There is no {subject}.") from None
        with refusals_as_command_errors():
            approval = keys.propose_limit(
                limited,
                terms=keys.Terms(
                    unit=unit,
                    period=period,
                    amount=amount.replace("_", ""),
                    zone=str(options["zone"]),
                    reset_hour=int(str(options["reset_hour"])),
                ),
                reason=reason,
                actor=Actor.command_line(),
                now=timezone.now(),
            )
        if approval:
            self.stdout.write(f"A second person must approve it: approval {approval.pk}.")
        else:
            span = "in total" if period == Period.TOTAL else f"per {period}"
            self.stdout.write(f"The limit of {subject} is {amount} {unit} {span}.")
