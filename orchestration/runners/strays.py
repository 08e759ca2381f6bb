"""Processes that left the process group of their program: they end with it, too.

What a program starts has its working folder in its environment (HOME, TMPDIR), or works below it.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
# One that is killed may just have started another one.
_TURNS = 3


def end_strays(folder: Path) -> None:
    """Kill every process that was started in the folder of a program that has ended.

    On other systems than Linux, nothing is found.
    """
    if sys.platform != "linux":
        return
    for _ in range(_TURNS):
        found = [pid for pid in _pids() if _belongs_to(pid, folder)]
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return


def _pids() -> list[int]:
    return [int(name) for name in os.listdir(_PROC) if name.isdigit() and int(name) != os.getpid()]


def _belongs_to(pid: int, folder: Path) -> bool:
    process = _PROC / str(pid)
    # The names of other folders may begin with this one.
    inside = os.fsencode(f"{folder}{os.sep}")
    # Those of other users cannot be read, and are none of ours.
    with suppress(OSError):
        if inside in (process / "environ").read_bytes():
            return True
    with suppress(OSError):
        return Path(os.readlink(process / "cwd")).is_relative_to(folder)
    return False
