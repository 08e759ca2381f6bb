"""`manage.py create_agent NAME [--cost-centre C]`."""

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common.commands import refusals_as_command_errors
from keys import services as keys
from keys.models import Agent
from security.actor import Actor


class Command(BaseCommand):
    """Make an agent and print a fresh agent token, which is shown once, as the last line."""

    help = (
        "Make an agent, with its cost centre when that is missing, and print a fresh agent token "
        "as the last line. For an agent that exists, a second token, so that it can change over."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The agent and who pays for it."""
        parser.add_argument("name", help="a-z, 0-9, - and _, at most 64 characters, like writer-2")
        parser.add_argument(
            "--cost-centre", metavar="C", help=f"who pays (of a new agent: {keys.ROOT_COST_CENTRE})"
        )
        parser.add_argument(
            "--days", type=int, default=365, help="how long the token lives (%(default)s)"
        )

    def handle(self, *, name: str, cost_centre: str | None, days: int, **options: object) -> None:
        """Find or make the agent, then issue a token."""
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
                self.stdout.write(f"Made the agent {name} of {agent.cost_centre_id}.")
            row, token = keys.issue_token(agent, days=days, actor=actor, now=now)
        self.stdout.write(f"Its token, valid until {row.expires_at:%Y-%m-%d}, is shown only now:")
        self.stdout.write(token)
