"""`manage.py sandbox_provider`: run the sandbox provider."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gateway.sandbox import server


class Command(BaseCommand):
    """Run the sandbox provider, to try everything without a real API key."""

    help = (
        "Run a small provider that speaks OpenAI's and Anthropic's wire formats, generates its "
        "answers, fails on request and logs what it would bill. It needs no database."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of `python -m gateway.sandbox`."""
        server.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until interrupted."""
        server.serve(
            host=options["host"],
            port=options["port"],
            log_file=options["log"],
            latency_ms=options["latency_ms"],
            write=self._write,
        )

    def _write(self, line: str) -> None:
        self.stdout.write(line, ending="")
        self.stdout.flush()
