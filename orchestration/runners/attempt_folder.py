"""The working folder of one attempt of a command, and a record of the process that uses it."""

import json
import logging
import os
import secrets
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)


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
        """Remove the folder with its content, also what a program made read-only or nested deeply.

        What cannot be removed, such as files of another user, stays and is logged.
        """
        # Python before 3.13 calls itself for each level, which a program can make as many as it
        # likes.
        with suppress(RecursionError):
            shutil.rmtree(self.path, ignore_errors=True)
        if not os.path.lexists(self.path):
            return
        _remove_flattened(self.path)
        if os.path.lexists(self.path):
            logger.warning("The folder of an attempt cannot be removed: %s", self.path)


def _remove_flattened(top: Path) -> None:
    """Remove a folder level by level: each folder in it moves up to the top, so that no path gets
    too long, and is opened for its owner first."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        for entry in _entries_to_remove(folder):
            with suppress(OSError):
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry)
                    continue
                # A folder that is read-only cannot be moved.
                os.chmod(entry, stat.S_IRWXU)
                moved = top / secrets.token_hex(8)
                os.rename(entry, moved)
                waiting.append(moved)
        if folder != top:
            with suppress(OSError):
                folder.rmdir()
    with suppress(OSError):
        top.rmdir()


def _entries_to_remove(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, which its owner can change from now on; nothing if that is refused."""
    with suppress(OSError):
        os.chmod(folder, stat.S_IRWXU)
        with os.scandir(folder) as entries:
            return list(entries)
    return []


def read_regular(name: str, *, most: int, folder: int | None) -> bytes:
    """The content of a file that a program wrote in an open folder, up to `most` + 1 bytes.

    Error: OSError, also if it is not a regular file: a link, or a pipe that would never end.
    """
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{name} is not a regular file")
        return file.read(most + 1)
