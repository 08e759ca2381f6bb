"""`manage.py add_key SLUG --provider P --model M --tokens-per-day N`, the secret from stdin."""

import sys
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from common.commands import refusals_as_command_errors
from keys import services as keys
from keys.supply.pricing import Rates
from security.actor import Actor

# The option of each limit: unit and period.
_LIMITS = {
    "tokens_per_day": ("tokens", "day"),
    "tokens_per_month": ("tokens", "month"),
    "tokens_in_total": ("tokens", "total"),
    "usd_per_day": ("usd", "day"),
    "usd_per_month": ("usd", "month"),
    "usd_in_total": ("usd", "total"),
}


def _amount(text: str) -> Decimal | None:
    """A number (1_000_000 is fine), or None for `none`."""
    if text == "none":
        return None
    try:
        return Decimal(text.replace("_", ""))
    except InvalidOperation:
        raise ValueError(text) from None


def _count(text: str) -> int:
    """A number of 1 or more."""
    if (count := int(text)) < 1:
        raise ValueError(text)
    return count


# argparse names them in its errors.
_amount.__name__, _count.__name__ = "amount", "number"


class Command(BaseCommand):
    """Add an API key with its limits; its secret never stands on the command line."""

    help = (
        "Add an API key. Its secret is read from standard input (on a terminal it is asked for and "
        "not shown): add_key nvidia-1 --provider nvidia --model M --tokens-per-day 5_000_000 < file"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What the key is, what it costs, how much of it may be used."""
        add = parser.add_argument
        add("slug", help="its name for life, like nvidia-1")
        add("--provider", required=True, help="who sells it; made when it is new")
        add("--model", required=True, help="as the provider calls it")
        add("--priority", type=int, default=0, help="a higher number is lent first (%(default)s)")
        add("--base-url", default="", help="where the API answers, instead of the provider's")
        add("--sandbox", action="store_true", help="its calls go to the sandbox provider")
        add("--requests-per-minute", type=_count, metavar="N", help="no more requests than that")
        add("--tokens-per-minute", type=_count, metavar="N", help="no more tokens than that")
        costs = "USD per 1,000 tokens; without both, the price book's"
        add("--input-cost", type=_amount, metavar="USD", help=costs)
        add("--output-cost", type=_amount, metavar="USD", help=costs)
        for name in _LIMITS:
            required = name == "tokens_per_day"
            limit = "the limit, or `none`" if required else "the limit; none unless given"
            add(f"--{name.replace('_', '-')}", type=_amount, required=required, help=limit)
        add("--zone", default="UTC", help="IANA zone in which days begin (%(default)s)")
        add("--reset-hour", type=int, default=0, help="hour at which days begin (%(default)s)")

    @sensitive_variables("secret")
    def handle(self, *, slug: str, **options: Any) -> None:
        """Check everything that can be wrong, then add the key and its limits."""
        now = timezone.now()
        with refusals_as_command_errors():
            limits = _limits(options)
            terms = keys.KeyTerms(
                rates=_rates(options), **{name: options[name] for name in _OF_THE_KEY}
            )
            secret = _read_secret(slug)
            api_key = keys.add_key(
                slug, terms=terms, secret=secret, limits=limits, actor=Actor.command_line(), now=now
            )
        self.stdout.write(f"Added {slug} ({api_key.provider_id}, {api_key.model}).")


_OF_THE_KEY = (
    "provider",
    "model",
    "priority",
    "base_url",
    "sandbox",
    "requests_per_minute",
    "tokens_per_minute",
)


def _limits(options: Mapping[str, Any]) -> list[keys.Terms]:
    """Checked before the key is made: without its limits it would lend without end."""
    limits = [
        keys.Terms(
            unit=unit,
            period=period,
            amount=options[name],
            zone=options["zone"],
            reset_hour=options["reset_hour"],
        )
        for name, (unit, period) in _LIMITS.items()
        if options[name] is not None
    ]
    for limit in limits:
        limit.check()
    return limits


def _rates(options: Mapping[str, Any]) -> Rates | None:
    costs = options["input_cost"], options["output_cost"]
    if costs == (None, None):
        return None
    if None in costs:
        raise CommandError("Give --input-cost and --output-cost, or neither.")
    try:
        return Rates(input=costs[0], output=costs[1])
    except ValueError as error:
        raise CommandError(str(error)) from None


@sensitive_variables()
def _read_secret(slug: str) -> str:
    secret = getpass(f"Secret of {slug}: ") if sys.stdin.isatty() else sys.stdin.read()
    if not secret.strip():
        raise CommandError("There is no secret on standard input.")
    return secret
