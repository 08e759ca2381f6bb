"""The working folder of one attempt of a command, and a record of the process that uses it."""

import json
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from django.conf import settings


class Folder:
    """`home`: the program's working folder and HOME; `tmp`: its TMPDIR; `prompt`: its prompt file.

    The folder's name is the session id, so it can be created only once on this machine.
    """

    def __init__(self, session_id: str) -> None:
        self._path = Path(settings.VAR_DIR) / "work" / session_id
        self.home, self.tmp = self._path / "home", self._path / "tmp"
        self.prompt = self._path / "prompt.txt"
        self._child = self._path / "child.json"

    def make(self, prompt: str) -> None:
        """Create the folder. Error: FileExistsError, if it exists."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.mkdir(mode=0o700)
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
        """Remove the folder with its content, and ignore errors."""
        shutil.rmtree(self._path, ignore_errors=True)


def read_regular(name: str, *, most: int, folder: int | None) -> bytes:
    """The content of a file that a program wrote in an open folder, up to `most` + 1 bytes.

    Error: OSError, also if it is not a regular file: a link, or a pipe that would never end.
    """
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{name} is not a regular file")
        return file.read(most + 1)
