"""The file that keeps the keyring: JSON, readable by its owner only, changed as a whole or not.

It is made by linking a complete temporary file to its name, which fails when the name exists: of
two processes starting at once one wins and the other reads what the winner wrote. It is changed by
renaming over it. Who changes it holds `<name>.lock`, which the kernel frees when a process dies.
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
# Inode, time of change (ns), size and mode: another stamp means another content.
_Stamp = tuple[int, int, int, int]
_cache: dict[Path, tuple[_Stamp, Keyring]] = {}


class VaultBusy(Refusal):
    """Another process is rotating the keys of the vault."""


def read(path: Path) -> Keyring:
    """The keyring in the file, made when there is none; parsed again only when the file changed.

    Raises KeyringUnusable when the file is open to others, malformed, or vanished since last read.
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
    """Be the only one who changes the file. Refusal: VaultBusy."""
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
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size, stat.S_IMODE(found.st_mode)


def _create(path: Path) -> _Stamp:
    if path in _cache:
        raise _vanished(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _write_beside(path, Keyring.generate())
    try:
        os.link(temporary, path)
        _flush_folder(path.parent)
    except FileExistsError:
        pass  # Another process made it first: that one counts.
    finally:
        temporary.unlink()
    if stamp := _stamp(path):
        return stamp
    raise _vanished(path)


def _vanished(path: Path) -> KeyringUnusable:
    return KeyringUnusable(
        f"The vault key file {path} has vanished: put it back from its backup. A new one could "
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
    with path.open() as handle:
        mode = stat.S_IMODE(os.fstat(handle.fileno()).st_mode)
        if mode & 0o077:
            raise KeyringUnusable(
                f"The vault key file {path} is open to other users (mode {mode:04o}): run "
                f"`chmod 600 {path}` and think about who may have read it."
            )
        text = handle.read()
    try:
        return _from_json(json.loads(text))
    except (KeyringUnusable, KeyError, TypeError, ValueError, AttributeError) as wrong:
        reason = str(wrong) if isinstance(wrong, KeyringUnusable) else "it is not what Butler wrote"
        raise KeyringUnusable(
            f"The vault key file {path} is malformed ({reason}): put it back from its backup."
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
