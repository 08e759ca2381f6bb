"""`manage.py switch_keys on|off NAME… --reason WHY`."""

from fnmatch import fnmatchcase

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from common.refusal import Refusal
from keys import services as keys
from keys.models import ApiKey
from security.actor import Actor

_STATUS = {"on": ApiKey.Status.ACTIVE, "off": ApiKey.Status.INACTIVE}


class Command(BaseCommand):
    """Switch API keys on or off, many at once."""

    help = (
        "Switch API keys on or off. A name may be a pattern such as 'openai-*'. Keys that cannot "
        "be switched are named at the end, and the others are switched."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the keys and the reason."""
        parser.add_argument("to", choices=_STATUS, help="On or off.")
        parser.add_argument("names", nargs="+", metavar="NAME", help="A key, or a pattern.")
        parser.add_argument("--reason", required=True, metavar="WHY", help="People read it.")

    def handle(self, *, to: str, names: list[str], reason: str, **options: object) -> None:
        """Switch each of them by itself."""
        listed = ApiKey.objects.filter(hidden_at=None).order_by("pk")
        status_of = dict(listed.values_list("pk", "status"))
        chosen = []
        for name in names:
            found = [slug for slug in status_of if fnmatchcase(slug, name)]
            if not found:
                raise CommandError(f"No API key is named {name}. Nothing was switched.")
            chosen += [slug for slug in found if slug not in chosen]
        changing = [slug for slug in chosen if status_of[slug] != _STATUS[to]]
        failed = 0
        for slug in changing:
            try:
                keys.set_key_status(
                    slug,
                    status=_STATUS[to],
                    reason=reason,
                    actor=Actor.command_line(),
                    now=timezone.now(),
                )
            except Refusal as refusal:
                failed += 1
                self.stderr.write(refusal.detail)
        done, already = len(changing) - failed, len(chosen) - len(changing)
        self.stdout.write(f"Switched {to}: {done}. They were {to} already: {already}.")
        if failed:
            raise CommandError(f"{failed} of {len(chosen)} keys could not be switched {to}.")
