"""The file outside the database to which checkpoints are appended."""

import os
from pathlib import Path

from security.audit_chain import checkpoint
from security.audit_chain.checkpoint import SignedCheckpoint
from security.audit_chain.models import Seal


class ChainTruncated(Exception):
    """The file has a checkpoint over more rows than the chain has."""


def latest() -> tuple[Seal, str] | None:
    """The last seal and its signed checkpoint; None before the first seal."""
    seal = Seal.objects.select_related("key").first()
    return (seal, note_of(seal)) if seal else None


def note_of(seal: Seal) -> str:
    """The signed checkpoint of a seal."""
    return seal.head(seal.key.name).note(key_id=seal.key_id, signature=bytes(seal.signature))


def read(path: Path) -> list[SignedCheckpoint]:
    """The checkpoints in the file; none if there is no file. Raises Malformed."""
    try:
        return list(checkpoint.parse(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return []


def append(path: Path) -> bool:
    """Append the latest checkpoint and write it to disk; false if the file ends with it.

    Raises ChainTruncated, and Malformed for a file with something else in it.
    """
    if (last := latest()) is None:
        return False
    seal, note = last
    kept = max((each.checkpoint.size for each in read(path)), default=0)
    if kept > seal.size:
        raise ChainTruncated(
            f"{path} has a checkpoint over {kept} rows, and the audit chain has {seal.size}."
        )
    if kept == seal.size:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{note}\n")
        file.flush()
        os.fsync(file.fileno())
    return True
