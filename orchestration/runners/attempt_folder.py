"""The working folder of one attempt of a command, and a record of the process that uses it."""

import json
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from django.conf import settings


class Folder:
    """`home`: the program's working folder and HOME; `tmp`: its TMPDIR; `prompt`: its prompt file.

    The folder's name is the session id, so it can be created only once on this machine.
    """

    def __init__(self, session_id: str) -> None:
        self.path = Path(settings.VAR_DIR) / "work" / session_id
        self.home, self.tmp = self.path / "home", self.path / "tmp"
        self.prompt = self.path / "prompt.txt"
        self._child = self.path / "child.json"

    def make(self, prompt: str) -> None:
        """Create the folder. Error: FileExistsError, if it exists."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700)
        self.home.mkdir(mode=0o700)
        self.tmp.mkdir(mode=0o700)
        self.prompt.write_text(prompt, "utf-8")

    def note_child(self, pid: int, started: float) -> None:
        """Record the process that uses the folder, so that another worker can end it."""
        self._child.write_text(json.dumps([pid, started]))

    def child_process(self) -> tuple[int, float] | None:
        """The process id and start time of the process that uses or used the folder."""
        with suppress(OSError, ValueError):
            pid, started = json.loads(self._child.read_text())
            return pid, started
        return None

    def read(self, name: str, *, most: int) -> bytes:
        """The content of a file in `home`; see `read_regular`."""
        descriptor = os.open(self.home, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return read_regular(name, most=most, folder=descriptor)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Remove the folder with its content, also what a program made read-only, and ignore
        errors."""
        # `onerror` came before `onexc` of Python 3.12, and is there in both.
        shutil.rmtree(self.path, onerror=_make_writable)  # type: ignore[deprecated,unused-ignore]


def _make_writable(function: Callable[..., object], path: str, _: object) -> None:
    """Try once more what failed because a folder is read-only."""
    with suppress(OSError):
        os.chmod(os.path.dirname(path), stat.S_IRWXU)
        if os.path.isdir(path) and not os.path.islink(path):
            os.chmod(path, stat.S_IRWXU)
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def read_regular(name: str, *, most: int, folder: int | None) -> bytes:
    """The content of a file that a program wrote in an open folder, up to `most` + 1 bytes.

    Error: OSError, also if it is not a regular file: a link, or a pipe that would never end.
    """
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{name} is not a regular file")
        return file.read(most + 1)
