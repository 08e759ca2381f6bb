"""`manage.py sandbox_provider`."""

from django.core.management.base import BaseCommand

from gateway.sandbox import server


class Command(BaseCommand):
    """Run the sandbox provider, for trying everything without a real key."""

    help = (
        "A small provider that speaks OpenAI's and Anthropic's wire formats, invents its answers, "
        "fails on demand and logs what it would bill. Needs no database."
    )
    requires_system_checks = []

    def add_arguments(self, parser):
        """The same as `python -m gateway.sandbox`."""
        server.add_arguments(parser)

    def handle(self, **options):
        """Serve until it is interrupted."""
        server.serve(
            host=options["host"],
            port=options["port"],
            log_file=options["log"],
            latency_ms=options["latency_ms"],
            say=self._say,
        )

    def _say(self, line):
        self.stdout.write(line, ending="")
        self.stdout.flush()
