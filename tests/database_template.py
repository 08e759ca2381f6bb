"""A migrated database that test databases are copied from: 170 migrations take half a minute, and a
copy takes a second. It stays on the server until a migration changes."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from common import embedded_postgres

_NAME = "butler_template"
_OTHERS = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
_LOCK = 7_304_118
# In a process of its own: with its end, the server stops.
_LOAD = """
import subprocess, sys
from pathlib import Path
from common import embedded_postgres
folder = Path(sys.argv[1])
embedded_postgres.start(folder)
where = embedded_postgres.connection_settings(folder)
command = [embedded_postgres.programs() / "psql", "--quiet", "--set", "ON_ERROR_STOP=1"]
command += ["--host", where["HOST"], "--username", where["USER"], where["NAME"]]
subprocess.run(command, stdin=sys.stdin, stdout=subprocess.DEVNULL, check=True)
"""


def template_database() -> str:
    """The name of the database, which is made if it is not there."""
    name = f"{_NAME}_{_digest()}"
    with connection._nodb_cursor() as cursor:
        # Until the connection is closed: other workers wait, and find it.
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        cursor.execute(_OTHERS, [f"{_NAME}_"])
        others = {found for (found,) in cursor.fetchall()}
        if name not in others:
            for other in others:
                cursor.execute(f"DROP DATABASE {other}")
            unfinished = f"{name}_unfinished"
            cursor.execute(f"CREATE DATABASE {unfinished}")
            _migrate(unfinished)
            cursor.execute(f"ALTER DATABASE {unfinished} RENAME TO {name}")
    return name


def copy_template(folder: Path) -> None:
    """Make an embedded PostgreSQL in `folder` whose database is migrated. It does not run then."""
    if os.environ.get("DATABASE_URL"):
        environ = {**os.environ, "DATABASE_URL": "", "BUTLER_VAR_DIR": str(folder.parent)}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=settings.BASE_DIR, env=environ, check=True)
        return
    where = connection.settings_dict
    dump = [embedded_postgres.programs() / "pg_dump", "--no-owner", "--no-privileges"]
    dump += ["--host", where["HOST"], "--username", where["USER"], template_database()]
    tables = subprocess.run(dump, check=True, capture_output=True).stdout
    load = [sys.executable, "-c", _LOAD, str(folder)]
    subprocess.run(load, cwd=settings.BASE_DIR, input=tables, check=True)


def _migrate(name: str) -> None:
    """Migrate another database than that of the settings."""
    connection.close()
    usual = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = usual


def _digest() -> str:
    """What the tables depend on: migrations, what they import, and the versions of packages."""
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        digest.update(f"{path.relative_to(settings.BASE_DIR)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    root = Path(settings.BASE_DIR)
    yield root / "requirements.txt"
    for app in apps.get_app_configs():
        if Path(app.path).is_relative_to(root):
            yield from (Path(app.path) / "migrations").glob("*.py")
    for folder in ("keys/supply", "security"):
        yield from (root / folder).rglob("*.py")
