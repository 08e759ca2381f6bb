"""The files of backups: written whole or not at all, and the oldest removed."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from gate.backup import encryption
from gate.refusals import BackupUnreadable

_SUFFIX = ".backup"
_MANIFEST_BYTES_MAX = 1024 * 1024


def write(
    folder: Path,
    *,
    kind: str,
    manifest: dict[str, Any],
    parts: Iterable[bytes],
    passphrase: bytes,
    now: datetime,
) -> Path:
    """Write `manifest` and `parts` to a new file, which appears under its name when it is whole.

    Only its owner can read it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"butler-{kind}-{now:%Y%m%dT%H%M%SZ}{_SUFFIX}"
    partial = path.with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as target:
            encryption.encrypt(_with_manifest(manifest, parts), target, passphrase=passphrase)
            target.flush()
            os.fsync(target.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def read(path: Path, *, passphrase: bytes) -> tuple[dict[str, Any], Iterator[bytes]]:
    """The manifest of a file, and its parts. Refusals: BackupUnreadable."""
    parts = _decrypted(path, passphrase)
    beginning = b""
    while b"\n" not in beginning:
        if len(beginning) > _MANIFEST_BYTES_MAX or not (part := next(parts, b"")):
            raise BackupUnreadable("The file is not a backup of Butler.")
        beginning += part
    manifest, _, rest = beginning.partition(b"\n")
    return json.loads(manifest), _chain(rest, parts)


def check(path: Path, *, passphrase: bytes) -> None:
    """Read the file to its end: nothing was changed or cut off. Refusals: BackupUnreadable."""
    for _ in _decrypted(path, passphrase):
        pass


def keep_newest(folder: Path, *, kind: str, count: int) -> list[Path]:
    """Remove all but the newest `count` files of a kind; returns those that were removed."""
    oldest = sorted(folder.glob(f"butler-{kind}-*{_SUFFIX}"))[:-count]
    for path in oldest:
        path.unlink()
    return oldest


def _with_manifest(manifest: dict[str, Any], parts: Iterable[bytes]) -> Iterator[bytes]:
    yield json.dumps(manifest, separators=(",", ":")).encode() + b"\n"
    yield from parts


def _decrypted(path: Path, passphrase: bytes) -> Iterator[bytes]:
    with closing(path.open("rb")) as source:
        yield from encryption.decrypt(source, passphrase=passphrase)


def _chain(first: bytes, parts: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from parts
