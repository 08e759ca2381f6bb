"""The arguments of bubblewrap: which folders of the machine a fence has in it."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.conf import settings

# Not below /tmp: Codex makes no helper programs there.
_TOP = Path("/attempt")
HOME, TMP, PROMPT = _TOP / "home", _TOP / "tmp", _TOP / "prompt.txt"
_OWN_TMP = "/tmp"  # noqa: S108  inside the fence it is the program's own
_OWN = (str(_TOP), "/proc", "/dev")
_SHARED_MEMORY_BYTES = 64_000_000
_NAMESPACES = (
    "--die-with-parent",
    "--unshare-user",
    "--disable-userns",
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--unshare-cgroup-try",
)
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
    "alternatives",
    "ca-certificates",
    "group",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "passwd",
    "pki/ca-trust",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
)


def bubblewrap(*, folder_bytes: int, prompt: int, read_only: Sequence[str]) -> Iterator[str]:
    """The options of a fence with a folder of this size, and with the prompt from a descriptor."""
    yield from _NAMESPACES
    yield from _system()
    yield from _work_folder(folder_bytes, prompt)
    yield from _tmp(folder_bytes, read_only)
    yield from _read_only(read_only)


def obstacle(folder: str) -> str:
    """Why a folder cannot be in a fence; empty if it can."""
    path = Path(folder)
    if not path.is_absolute() or "\0" in folder:
        return f"{folder} is not a full path."
    if any(path.is_relative_to(own) for own in _OWN) or folder.rstrip("/") == _OWN_TMP:
        return f"{folder} is below a folder that the fence has of its own."
    path = path.resolve()
    kept = path.is_relative_to(Path(settings.VAR_DIR).resolve())
    if kept or any(own.is_relative_to(path) for own in _own_folders()):
        return f"{folder} has Butler's own files in it."
    return ""


def _own_folders() -> Iterator[Path]:
    return (Path(own).resolve() for own in (settings.BASE_DIR, settings.VAR_DIR))


def _system() -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in _SYSTEM:
        if os.path.islink(name):
            yield from ("--symlink", os.readlink(name), name)
        else:
            yield from ("--ro-bind-try", name, name)
    for name in _ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    yield from ("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev")
    yield from ("--size", str(_SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm")  # noqa: S108  inside


def _work_folder(size: int, prompt: int) -> Iterator[str]:
    """In memory, because only there every user can limit the size of a file system."""
    yield from ("--size", str(size), "--perms", "0700", "--tmpfs", str(_TOP))
    for path in (HOME, TMP):
        yield from ("--perms", "0700", "--dir", str(path))
    yield from ("--ro-bind-data", str(prompt), str(PROMPT), "--chdir", str(HOME))


def _tmp(size: int, read_only: Sequence[str]) -> Iterator[str]:
    """A part of the working folder; a file system of its own only if others are shown in it."""
    if any(Path(folder).is_relative_to(_OWN_TMP) for folder in read_only):
        yield from ("--size", str(size), "--perms", "0700", "--tmpfs", _OWN_TMP)
    else:
        yield from ("--symlink", str(TMP), _OWN_TMP)


def _read_only(folders: Sequence[str]) -> Iterator[str]:
    """Further folders, after those of Butler that would be seen in the system's are hidden."""
    hidden = [str(own) for own in _own_folders() if own.is_relative_to("/usr")]
    for name in hidden:
        yield from ("--tmpfs", name)
    if not Path(system_python()).is_relative_to("/usr"):
        folders = [*folders, sys.base_prefix]
    for name in folders:
        yield from ("--ro-bind", name, name)
    for name in ("/", *hidden):
        yield from ("--remount-ro", name)


def system_python() -> str:
    """The Python of the system; else Butler's own, whose folder the fence then has in it."""
    return shutil.which("python3", path="/usr/bin:/usr/local/bin") or os.path.realpath(
        sys.executable
    )
