"""`manage.py fill_rail RAIL`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from common.commands import refusals_as_command_errors
from security.actor import Actor
from treasury import services as treasury


class Command(BaseCommand):
    """Ask for play money on a testnet, or for an address to which USDC can be sent."""

    help = (
        "Ask the faucet of a rail on a testnet for play money; or ask Circle Mint for an address "
        "on a blockchain, to which USDC can be sent. The rail must be switched on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the rail and the blockchain."""
        parser.add_argument("rail", help="The name of the rail.")
        parser.add_argument(
            "--chain", default="", help="Of an address: the blockchain, such as ETH or BASE."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, then print what the vendor said."""
        with refusals_as_command_errors():
            said = treasury.fill_rail(
                options["rail"],
                chain=options["chain"],
                actor=Actor.command_line(),
                now=timezone.now(),
            )
        self.stdout.write(said)
