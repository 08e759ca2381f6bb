"""`manage.py vault status | rotate | prune`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress

from common.refusal import Refusal
from security import keyring_sources, queries, services
from security.actor import Actor
from security.keyring import KeyringUnusable


class Command(BaseCommand):
    """List the sealing keys, re-seal every secret with a new key, or remove retired keys."""

    help = (
        "Manage the sealing keys. status: list the keys and the secrets that cannot be read. "
        "rotate: re-seal every secret with a new key. prune: remove keys retired over a day ago."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the action to perform."""
        parser.add_argument(
            "action", choices=["status", "rotate", "prune"], help="The action to perform."
        )

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Perform the action; exit code 1 if a secret cannot be read or the action failed."""
        try:
            {"status": self.status, "rotate": self.rotate, "prune": self.prune}[action]()
        except (Refusal, KeyringUnusable) as failure:
            raise CommandError(str(failure)) from failure

    def status(self) -> None:
        """List the keys, each with its number of secrets, then the secrets that cannot be read."""
        keyring, used = keyring_sources.current(), queries.keys_in_use()
        source = keyring_sources.path() if keyring_sources.is_file() else "BUTLER_VAULT_KEYS"
        self.stdout.write(f"Keys from {source}")
        for key in keyring.keys:
            state = "seals" if key.id == keyring.sealing_id else "reads"
            if key.retired_at:
                state = f"retired {key.retired_at:%Y-%m-%d %H:%M} UTC"
            self.stdout.write(f"  {key.id:<12} {used.pop(key.id, 0):>8} secrets  {state}")
        for key_id, count in sorted(used.items()):
            self.stdout.write(f"  {key_id:<12} {count:>8} secrets  not in the keyring")
        if keyring.rekey_open:
            self.stdout.write("A rekey was interrupted. Run `manage.py vault rotate` to finish it.")
        models = dict.fromkeys(field.model for field in queries.sealed_fields())
        self._report([secret for model in models for secret in queries.unsealable(model)])

    def rotate(self) -> None:
        """Re-seal every secret with a new key (with keys of the environment: with the first)."""
        with self._progress() as on_row:
            result = services.rekey_vault(
                actor=Actor.command_line(), now=timezone.now(), on_row=on_row
            )
        verb = "Finished the interrupted rekey: re-sealed" if result.resumed else "Re-sealed"
        self.stdout.write(f"{verb} {result.resealed} secrets with key {result.key_id}.")
        self._report(list(result.unsealable.values()))

    def prune(self) -> None:
        """Remove keys retired over a day ago."""
        if not keyring_sources.is_file():
            raise CommandError("The keys are in BUTLER_VAULT_KEYS. Remove unused keys there.")
        removed = services.prune_vault(actor=Actor.command_line(), now=timezone.now())
        self.stdout.write(
            f"Removed {len(removed)} keys: {', '.join(removed) or 'none retired over a day ago'}."
        )

    def _report(self, unsealable: list[queries.Unsealable]) -> None:
        for secret in unsealable:
            self.stderr.write(f"  {secret.reason}")
        if unsealable:
            raise CommandError(f"Secrets that cannot be read, left as they are: {len(unsealable)}.")

    @contextmanager
    def _progress(self) -> Iterator[services.Progress]:
        if not self.stdout.isatty():
            yield lambda: None
            return
        with Progress(console=Console(file=cast("IO[str]", self.stdout._out))) as bar:
            rows = bar.add_task("Re-sealing", total=2 * queries.keys_in_use().total())
            yield lambda: bar.advance(rows)
