"""The file with the keyring: JSON, readable by its owner only, replaced as a whole or not at all.

The file is created by linking a complete temporary file to its name, which fails if the name
exists: of two processes that start at once, one succeeds and the other reads that file. A change
renames a new file over it. A process that changes the file holds `<name>.lock`, which the kernel
releases when the process dies.
"""

import base64
import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from common.refusal import Refusal
from security.keyring import Keyring, KeyringUnusable, SealingKey, decode_base64

_ABOUT = (
    "Sealing keys of Butler, newest first. Anyone who has it and the database has every secret: "
    "back it up, apart from the database."
)
# Inode, time of change (ns), size and mode: a different stamp means different content.
_Stamp = tuple[int, int, int, int]
_cache: dict[Path, tuple[_Stamp, Keyring]] = {}


class VaultBusy(Refusal):
    """Another process is rotating the keys of the vault."""


def read(path: Path) -> Keyring:
    """The keyring in the file, which is created if missing and parsed again only if it changed.

    Raises KeyringUnusable if others can read the file, or if it cannot be read, is malformed or has
    vanished.
    """
    stamp = _stamp(path) or _create(path)
    cached = _cache.get(path)
    if cached and cached[0] == stamp:
        return cached[1]
    keyring = _parse(path)
    _cache[path] = (stamp, keyring)
    return keyring


def replace(path: Path, keyring: Keyring) -> None:
    """Write the changed keyring; a crash leaves the old file or the new one. Needs `lock`."""
    temporary = _write_beside(path, keyring)
    os.replace(temporary, path.resolve())
    _flush_folder(path.resolve().parent)


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Lock the file against changes by other processes. Refusals: VaultBusy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VaultBusy(
                "Another process is changing the keys of the vault. Wait until it has finished."
            ) from None
        yield


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size, stat.S_IMODE(status.st_mode)


def _create(path: Path) -> _Stamp:
    if path in _cache:
        raise _vanished_error(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _write_beside(path, Keyring.generate())
    try:
        os.link(temporary, path)
        _flush_folder(path.parent)
    except FileExistsError:
        pass  # Another process created the file first: its keyring is used.
    finally:
        temporary.unlink()
    if stamp := _stamp(path):
        return stamp
    raise _vanished_error(path)


def _vanished_error(path: Path) -> KeyringUnusable:
    return KeyringUnusable(
        f"The vault key file {path} has vanished. Restore it from its backup: a new file could "
        "not read what the old one sealed."
    )


def _write_beside(path: Path, keyring: Keyring) -> Path:
    target = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # mode 0600
    with os.fdopen(descriptor, "w") as handle:
        handle.write(json.dumps(_as_json(keyring), indent=2) + "\n")
        handle.flush()
        os.fsync(handle.fileno())
    return Path(name)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _as_json(keyring: Keyring) -> dict[str, Any]:
    return {
        "about": _ABOUT,
        "pepper": keyring.pepper,
        "rotation_open": keyring.rekey_open,
        "keys": [
            {
                "id": key.id,
                "key": base64.b64encode(key.secret).decode(),
                "retired_at": key.retired_at and key.retired_at.isoformat(),
            }
            for key in keyring.keys
        ],
    }


def _parse(path: Path) -> Keyring:
    try:
        handle = path.open()
    except OSError as error:
        raise KeyringUnusable(
            f"The vault key file {path} cannot be read ({os.strerror(error.errno or 0)}): run "
            "Butler and its commands as the user to whom it belongs."
        ) from None
    with handle:
        mode = stat.S_IMODE(os.fstat(handle.fileno()).st_mode)
        if mode & 0o077:
            raise KeyringUnusable(
                f"The vault key file {path} is open to other users (mode {mode:04o}): run "
                f"`chmod 600 {path}` and find out who may have read it."
            )
        text = handle.read()
    try:
        return _from_json(json.loads(text))
    except (KeyringUnusable, KeyError, TypeError, ValueError, AttributeError) as wrong:
        reason = str(wrong) if isinstance(wrong, KeyringUnusable) else "not written by Butler"
        raise KeyringUnusable(
            f"The vault key file {path} is malformed ({reason}). Restore it from its backup."
        ) from None


def _from_json(content: dict[str, Any]) -> Keyring:
    return Keyring(
        keys=tuple(
            SealingKey(
                entry["id"],
                decode_base64(entry["key"], what="a sealing key"),
                entry["retired_at"] and datetime.fromisoformat(entry["retired_at"]),
            )
            for entry in content["keys"]
        ),
        pepper=content["pepper"],
        rekey_open=bool(content["rotation_open"]),
    )
