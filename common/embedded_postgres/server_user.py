"""The system user the embedded PostgreSQL runs as when we are root, which it refuses to be."""

import os
import pwd
import subprocess
from pathlib import Path

_SYSTEM_USER = "pgserver"


def owner() -> pwd.struct_passwd | None:
    """The user that the server runs as; None when it runs as the current user."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--shell", "/usr/sbin/nologin", _SYSTEM_USER]
        subprocess.run(command, check=True)  # noqa: S603
        return pwd.getpwnam(_SYSTEM_USER)


def let_through(folder: Path) -> None:
    """Let other users pass (not list) the folders above, so that the server reaches its own."""
    for part in (folder, *folder.parents):
        mode = part.stat().st_mode
        if not mode & 0o001:
            part.chmod(mode | 0o001)


def let_read(tree: Path) -> None:
    """Make the wheel's files readable and executable for the server's user despite the umask."""
    if (tree / "bin" / "postgres").stat().st_mode & 0o005 == 0o005:
        return
    for file in (tree, *tree.rglob("*")):
        mode = file.stat().st_mode
        file.chmod(mode | (mode & 0o500) >> 6)
