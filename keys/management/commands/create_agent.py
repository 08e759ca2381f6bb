"""`manage.py create_agent NAME [--cost-centre C]`."""

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from keys import services as keys
from keys.models import Agent
from security.actor import Actor


class Command(BaseCommand):
    """Create an agent and print a new agent token, which is shown only once, as the last line."""

    help = (
        "Create an agent, and its cost centre if that is missing, and print a new agent token as "
        "the last line. A new agent begins with the limit BUTLER_NEW_AGENT_TOKENS_PER_DAY. An "
        "existing agent gets a second token, so that it can change to it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the agent, its cost centre and the lifetime of the token."""
        parser.add_argument(
            "name", help="The name of the agent: 1 to 64 of a-z, 0-9, - and _, such as writer-2."
        )
        parser.add_argument(
            "--cost-centre",
            metavar="C",
            help=f"The cost centre that pays. A new agent gets {keys.ROOT_COST_CENTRE} by default.",
        )
        parser.add_argument(
            "--days",
            type=int,
            default=365,
            help="The lifetime of the token in days. The default is %(default)s.",
        )

    def handle(self, *, name: str, cost_centre: str | None, days: int, **options: object) -> None:
        """Find or create the agent, then issue a token."""
        now, actor = timezone.now(), Actor.command_line()
        with refusals_as_command_errors():
            agent = Agent.objects.filter(pk=name).first()
            if agent and cost_centre not in (None, agent.cost_centre_id):
                raise CommandError(
                    f"{name} is an agent of {agent.cost_centre_id}, not of {cost_centre}."
                )
            if agent is None:
                agent = keys.create_agent_of(
                    name, cost_centre=cost_centre or keys.ROOT_COST_CENTRE, actor=actor, now=now
                )
                self.stdout.write(
                    f"Created the agent {name} of the cost centre {agent.cost_centre_id}."
                )
            row, token = keys.issue_token(agent, days=days, actor=actor, now=now)
        self.stdout.write(f"The token, valid until {row.expires_at:%Y-%m-%d}, is shown only now:")
        self.stdout.write(token)
