"""What the tests of the embedded PostgreSQL look at."""

from pathlib import Path

import psutil


def running_server(folder: Path) -> psutil.Process | None:
    """The first process of the server whose data is in `folder`."""
    try:
        pid = int((folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        return psutil.Process(pid)
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
