"""Migrations that landed are kept, and a database of an earlier commit is upgraded by the new ones.

The commit that brought this file wrote the initial migrations again. From then on, a migration is
added and never changed; what is upgraded is the database of the commit before the newest one.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.flows.processes import database_url

ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = ":(glob)*/migrations/*.py"
DATABASE = "test_butler_upgrade"
TRACE = "t_s,input_tokens,output_tokens\n" + "".join(
    f"{n / 2},{300 + n},{40 + n}\n" for n in range(30)
)
COUNTS = """
SELECT (SELECT count(*) FROM keys_apikey), (SELECT count(*) FROM keys_agent),
       (SELECT count(*) FROM keys_allocation), (SELECT count(*) FROM keys_charge),
       (SELECT sum(tokens) FROM keys_charge), (SELECT sum(cost) FROM keys_charge)
"""


def git(*arguments: str) -> str:
    """What git says of this checkout."""
    done = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def first_kept() -> str:
    """The commit from which on migrations are kept: the one that brought this file, or HEAD."""
    added = git(
        "log", "--diff-filter=A", "--format=%H", "--", str(Path(__file__).relative_to(ROOT))
    )
    return added.splitlines()[-1] if added else git("rev-parse", "HEAD")


def commit_before() -> str:
    """The commit whose database is upgraded: the last one without the newest migration."""
    if git("status", "--porcelain", "--", MIGRATIONS):
        return git("rev-parse", "HEAD")
    newest = git("log", "-1", "--format=%H", f"{first_kept()}..HEAD", "--", MIGRATIONS)
    return git("rev-parse", f"{newest}^") if newest else first_kept()


SEAL = """
from django.utils import timezone
from security.audit_chain.seal import seal_rows
while seal_rows(now=timezone.now()): pass
"""


@pytest.fixture
def database(django_db_setup, django_db_blocker) -> Iterator[str]:
    """The URL of an empty database on the server of the tests."""
    with django_db_blocker.unblock():
        connection.ensure_connection()
        url = database_url(DATABASE)
        server = psycopg.connect(database_url(), autocommit=True)
    with server:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {DATABASE}")
        yield url
        server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def manage(folder: Path, url: str, var: Path, *arguments: str) -> str:
    """Run a command of the Butler in `folder` on the database."""
    environ = {**os.environ, "DATABASE_URL": url, "BUTLER_VAR_DIR": str(var), "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def counts(url: str) -> tuple[object, ...]:
    """What must survive an upgrade."""
    with psycopg.connect(url) as database:
        row = database.execute(COUNTS).fetchone()
    assert row is not None
    return row


def test_migrations_that_landed_are_kept():
    since = first_kept()
    assert git("diff", "--name-status", "--diff-filter=a", since, "--", MIGRATIONS) == ""
    assert git("log", "--format=%h %s", "--diff-filter=a", f"{since}..HEAD", "--", MIGRATIONS) == ""


@pytest.mark.slow
def test_a_database_of_the_commit_before_is_upgraded_and_balances(database, tmp_path):
    before, var = tmp_path / "before", tmp_path / "var"
    before.mkdir()
    archive = tmp_path / "before.tar"
    git("archive", "--format=tar", f"--output={archive}", commit_before())
    subprocess.run(["tar", "-xf", str(archive), "-C", str(before)], check=True)
    trace = tmp_path / "trace.csv"
    trace.write_text(TRACE, encoding="utf-8")
    manage(before, database, var, "migrate", "--verbosity", "0")
    manage(before, database, var, "load_demo_fleet")
    manage(before, database, var, "replay", str(trace), "--agents", "2")
    manage(before, database, var, "load_demo_task")
    kept = counts(database)
    assert kept[3] == 30

    manage(ROOT, database, var, "migrate", "--verbosity", "0")
    assert counts(database) == kept
    manage(ROOT, database, var, "migrate", "--check")
    assert "balance" in manage(ROOT, database, var, "check_books")
    assert "balance" in manage(ROOT, database, var, "check_tasks")
    # What was written before the upgrade waits for it; on a busy machine, longer than it may.
    manage(ROOT, database, var, "shell", "--command", SEAL)
    assert "Nothing was changed" in manage(ROOT, database, var, "audit", "verify")
    manage(ROOT, database, var, "replay", str(trace), "--agents", "2")
    assert counts(database)[3] == 60
