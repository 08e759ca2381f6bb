"""`manage.py audit verify | checkpoint | export | key`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress

from common.formatting import count
from security.audit_chain import checkpoint, checkpoint_file, export, keys
from security.audit_chain.checkpoint import Malformed, SignedCheckpoint
from security.audit_chain.models import ChainKey, Seal
from security.audit_chain.verify import Verification, verify
from security.keyring import KeyringUnusable
from security.vault import CannotUnseal

_SHOWN = 20


class Command(BaseCommand):
    """Verify the audit chain, and write what others keep of it."""

    help = (
        "The audit chain. verify: compare all rows with what was sealed. checkpoint: print the "
        "signed head, or append it to a file. export: print all sealed rows with the signed head. "
        "key: print the public key that checks both."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the actions and what each takes."""
        actions = parser.add_subparsers(dest="action", required=True)
        verification = actions.add_parser("verify", help="Exit code 1 if anything was changed.")
        verification.add_argument(
            "--anchors",
            type=Path,
            metavar="FILE",
            help="Checkpoints kept outside the database; default: BUTLER_AUDIT_CHECKPOINTS.",
        )
        head = actions.add_parser("checkpoint", help="The signed head of the chain.")
        head.add_argument("--append", type=Path, metavar="FILE", help="Append it to this file.")
        actions.add_parser("export", help="All sealed rows as JSON lines, and the signed head.")
        actions.add_parser("key", help="The public key, as tools for signed notes read it.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Perform the action."""
        try:
            getattr(self, f"_{action}")(**options)
        except (Malformed, KeyringUnusable, CannotUnseal, OSError) as failure:
            raise CommandError(str(failure)) from failure
        except (checkpoint_file.ChainTruncated, export.Differs) as tampered:
            raise CommandError(str(tampered)) from tampered

    def _verify(self, *, anchors: Path | None, **options: Any) -> None:
        kept = _anchors(anchors)
        with self._progress() as on_rows:
            verification = verify(anchors=kept, now=timezone.now(), on_rows=on_rows)
        self._tell(verification, anchors=len(kept))
        if verification.wrong:
            raise CommandError(
                f"The audit chain is damaged: {count(verification.wrong, 'finding')}. The first "
                f"is: {verification.findings[0]}"
            )

    def _tell(self, verification: Verification, *, anchors: int) -> None:
        for finding in verification.findings[:_SHOWN]:
            self.stderr.write(f"  {finding}")
        self.stdout.write(
            f"Verified {count(verification.rows, 'row')} in {count(verification.seals, 'seal')}, "
            f"and {count(anchors, 'checkpoint')}. {verification.tail}.{_gone(verification)}"
        )
        if not verification.wrong:
            self.stdout.write("Nothing was changed, removed, added or reordered.")

    def _checkpoint(self, *, append: Path | None, **options: Any) -> None:
        if append:
            changed = checkpoint_file.append(append)
            self.stdout.write("Appended." if changed else "The file ends with it already.")
        elif last := checkpoint_file.latest():
            self.stdout.write(last[1], ending="")
        else:
            raise CommandError("Nothing is sealed yet.")

    def _export(self, **options: Any) -> None:
        for line in export.lines():
            self.stdout.write(line)

    def _key(self, **options: Any) -> None:
        for key in ChainKey.objects.order_by("created_at"):
            self.stdout.write(checkpoint.verifier_key(key.name, keys.public_key(key)))

    @contextmanager
    def _progress(self) -> Iterator[Callable[[int], None]]:
        if not self.stdout.isatty():
            yield lambda rows: None
            return
        last = Seal.objects.first()
        with Progress(console=Console(file=cast("IO[str]", self.stdout._out))) as bar:
            task = bar.add_task("Verifying", total=last.size if last else 0)
            yield lambda rows: bar.advance(task, rows)


def _anchors(file: Path | None) -> list[SignedCheckpoint]:
    """The checkpoints of the file, which must exist if it was asked for."""
    if file and not file.exists():
        raise CommandError(f"There is no file {file}.")
    return checkpoint_file.read(file or settings.AUDIT_CHECKPOINTS)


def _gone(verification: Verification) -> str:
    if not verification.deleted:
        return ""
    rows = count(verification.deleted, "sealed row")
    return f" Of these, {rows} are gone by retention, as was sealed."
