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
from keys.limits.limit_names import LIMIT_NAMES
from keys.models import Period
from keys.supply.pricing import Rates, doubt
from security.actor import Actor


def _amount(text: str) -> Decimal | None:
    """The number in `text` (1_000_000 is allowed), or None for `none`."""
    if text == "none":
        return None
    try:
        return Decimal(text.replace("_", ""))
    except InvalidOperation:
        raise ValueError(text) from None


def _count(text: str) -> int:
    """The number in `text`. Raises ValueError below 1."""
    if (count := int(text)) < 1:
        raise ValueError(text)
    return count


# The names of the types in argparse's error messages.
_amount.__name__, _count.__name__ = "amount", "number"


class Command(BaseCommand):
    """Add an API key with its limits. Its secret is never on the command line."""

    help = (
        "Add an API key with its limits. The command reads the secret from standard input; on a "
        "terminal it asks for the secret and does not show it. Example: add_key nvidia-1 "
        "--provider nvidia --model M --tokens-per-day 5_000_000 < file"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the key, its costs and its limits."""
        add = parser.add_argument
        add("slug", help="The name of the key, which cannot be changed later, such as nvidia-1.")
        add("--provider", required=True, help="The provider, which is added if it is new.")
        add(
            "--new-provider",
            action="store_true",
            dest="is_new_provider",
            help="The provider is new, although its name resembles another.",
        )
        add("--model", required=True, help="The provider's name of the model.")
        add(
            "--serves",
            action="append",
            default=[],
            metavar="MODEL",
            help="Another model of the provider that the key serves, or a pattern such as gpt-4o*. "
            "The option can be repeated.",
        )
        add(
            "--passes",
            action="append",
            default=[],
            dest="passed_fields",
            metavar="FIELD",
            help="A field of requests that is passed to the provider although Butler does not know "
            "what it costs. The option can be repeated.",
        )
        add(
            "--priority",
            type=int,
            default=0,
            help="Keys with a higher number are lent first. The default is %(default)s.",
        )
        add(
            "--base-url",
            default="",
            help="The base URL of the API, if it is not that of the provider.",
        )
        add(
            "--sandbox",
            action="store_true",
            help="Send the calls of this key to the sandbox provider.",
        )
        add(
            "--requests-per-minute",
            type=_count,
            metavar="N",
            help="The maximum number of requests per minute.",
        )
        add(
            "--tokens-per-minute",
            type=_count,
            metavar="N",
            help="The maximum number of tokens per minute.",
        )
        costs = "US dollars per 1,000 tokens. Without both costs, the price book applies."
        add("--input-cost", type=_amount, metavar="USD", help=costs)
        add("--output-cost", type=_amount, metavar="USD", help=costs)
        add(
            "--cost-is-meant",
            action="store_true",
            help="The costs are right, although they are above all known prices.",
        )
        for name in LIMIT_NAMES:
            required = name == "tokens_per_day"
            limit = "The limit, or none." if required else "The limit. Without it, there is none."
            add(f"--{name.replace('_', '-')}", type=_amount, required=required, help=limit)
        add(
            "--zone",
            default="UTC",
            help="The IANA time zone of the limits. The default is %(default)s.",
        )
        add(
            "--reset-hour",
            type=int,
            default=0,
            help="The hour at which limits reset, except those per hour. The default is "
            "%(default)s.",
        )

    @sensitive_variables("secret")
    def handle(self, *, slug: str, **options: Any) -> None:
        """Check all values, then add the key and its limits."""
        now = timezone.now()
        with refusals_as_command_errors():
            limits = _limits(options)
            terms = keys.KeyTerms(
                rates=_rates(options),
                serves=tuple(options["serves"]),
                needs_address=True,
                **{name: options[name] for name in _OF_THE_KEY},
            )
            secret = _read_secret(slug)
            api_key = keys.add_key(
                slug, terms=terms, secret=secret, limits=limits, actor=Actor.command_line(), now=now
            )
        self.stdout.write(f"Added the API key {slug} ({api_key.provider_id}, {api_key.model}).")


_OF_THE_KEY = (
    "provider",
    "model",
    "priority",
    "base_url",
    "sandbox",
    "requests_per_minute",
    "tokens_per_minute",
    "passed_fields",
    "is_new_provider",
)


def _limits(options: Mapping[str, Any]) -> list[keys.Terms]:
    """The limits of the options, checked before the key is added."""
    limits = [
        keys.Terms(
            unit=unit,
            period=period,
            amount=options[name],
            zone=options["zone"],
            reset_hour=0 if period == Period.HOUR else options["reset_hour"],
        )
        for name, (unit, period) in LIMIT_NAMES.items()
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
        rates = Rates(input=costs[0], output=costs[1])
    except ValueError as error:
        raise CommandError(str(error)) from None
    if (question := doubt(rates)) and not options["cost_is_meant"]:
        raise CommandError(f"{question} If it is meant, add --cost-is-meant.")
    return rates


@sensitive_variables()
def _read_secret(slug: str) -> str:
    secret = getpass(f"Secret of {slug}: ") if sys.stdin.isatty() else sys.stdin.read()
    if not secret.strip():
        raise CommandError(
            "Standard input has no secret. Enter the secret that the provider issued."
        )
    return secret
