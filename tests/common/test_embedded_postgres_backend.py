"""Django's connections to the embedded PostgreSQL: the first one starts it, settings do not."""

import fcntl
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from common import embedded_postgres
from common.embedded_postgres import server
from common.embedded_postgres.base import DatabaseWrapper
from tests.common.embedded import running_server

ROOT = Path(__file__).resolve().parents[2]
CONFIGURE = """
import multiprocessing, sys, threading
from pathlib import Path
import django
from django.conf import settings
from django.db import connection
from common import embedded_postgres

folder = Path(sys.argv[1])
database = embedded_postgres.connection_settings(folder)
settings.configure(DATABASES={"default": database})
django.setup()

def connect():
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        [found] = cursor.fetchone()
    connection.close()
    assert found == str(folder / "data"), found

def runs():
    return (folder / "data" / "postmaster.pid").exists()

assert connection.vendor == "postgresql"
assert not folder.exists()
"""
# Four threads want to be the first.
IN_THREADS = """
threads = [threading.Thread(target=connect) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert runs()
"""
# As the queue and the task workers do: only processes that multiprocessing forked connect.
IN_A_FORK = """
def work():
    connect()
    assert runs()

child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
assert child.exitcode == 0, child.exitcode
"""


@pytest.mark.parametrize("script", [IN_THREADS, IN_A_FORK], ids=["threads", "fork"])
def test_the_first_connection_starts_the_server_which_stops_with_its_last_user(folder, script):
    ended = subprocess.run(
        [sys.executable, "-c", CONFIGURE + script, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr == ""
    assert (folder / "data" / "PG_VERSION").exists()
    assert running_server(folder) is None


def test_dbshell_starts_the_server(tmp_path, folder):
    environ = {**os.environ, "BUTLER_VAR_DIR": str(tmp_path), "DATABASE_URL": ""}
    environ["PATH"] = f"{embedded_postgres.programs()}:{environ['PATH']}"
    command = ["manage.py", "dbshell", "--", "--tuples-only", "--no-align", "-c", "SELECT 6 * 7"]
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("42\n", "")
    assert running_server(folder) is None


def test_a_server_that_cannot_start_is_an_operational_error_and_has_no_user(
    folder, monkeypatch, django_db_blocker
):
    """O58."""
    database = DatabaseWrapper(_settings(folder), alias="other")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with (
        django_db_blocker.unblock(),
        pytest.raises(OperationalError, match="There is no PostgreSQL: set DATABASE_URL"),
    ):
        database.ensure_connection()
    with (folder / "users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_server_that_does_not_run_can_be_left_alone(folder, django_db_blocker):
    database = DatabaseWrapper(_settings(folder), alias="other")
    with (
        django_db_blocker.unblock(),
        database.without_start(),
        pytest.raises(OperationalError, match="No such file or directory"),
    ):
        database.ensure_connection()
    assert not folder.exists()


def _settings(folder):
    defaults = {"AUTOCOMMIT": True, "OPTIONS": {}, "TIME_ZONE": None, "PASSWORD": ""}
    defaults |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": False}
    return defaults | embedded_postgres.connection_settings(folder)


def test_data_of_another_user_are_refused(folder, monkeypatch):
    """O58: also while that user's server runs, which root could join."""
    embedded_postgres.require_own_data(folder)
    (folder / "data").mkdir(parents=True)
    own = (folder / "data").stat().st_uid
    monkeypatch.setattr(server.server_user, "owner", lambda: SimpleNamespace(pw_uid=own))
    embedded_postgres.require_own_data(folder)
    monkeypatch.setattr(server.server_user, "owner", lambda: SimpleNamespace(pw_uid=own + 1))
    with pytest.raises(embedded_postgres.EmbeddedPostgresFailed, match="belongs to another user"):
        embedded_postgres.require_own_data(folder)
