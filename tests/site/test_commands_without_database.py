"""Importing the settings starts nothing, and commands that need no database work without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.exceptions import InconsistentMigrationHistory

ROOT = Path(__file__).resolve().parents[2]
# Made when django-q2 is imported, which asks for the key.
SECRET_KEY = {"secret.key"}


def manage(tmp_path, *arguments, **environ):
    """Run `manage.py` with an empty folder and no PostgreSQL but the embedded one."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "BUTLER_VAR_DIR": str(tmp_path), "DATABASE_URL": ""} | environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["help"], "[butler_site]"),
        (["check"], "System check identified no issues"),
        (["makemigrations", "--check", "--dry-run"], "No changes detected"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_without_a_need_for_a_database_starts_none(tmp_path, arguments, output):
    ended = manage(tmp_path, *arguments)
    assert ended.returncode == 0
    assert output in ended.stdout
    assert ended.stderr == ""
    assert {path.name for path in tmp_path.iterdir()} == SECRET_KEY


def test_makemigrations_warns_of_a_database_elsewhere_that_does_not_answer(tmp_path):
    nowhere = f"postgres://butler@/butler?host={tmp_path}"
    ended = manage(tmp_path, "makemigrations", "--check", "--dry-run", DATABASE_URL=nowhere)
    assert "No changes detected" in ended.stdout
    assert "Got an error checking a consistent migration history" in ended.stderr


@pytest.mark.django_db
def test_makemigrations_looks_at_the_history_of_a_database_that_runs():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE (app, name) = ('keys', '0001_initial')")
    with pytest.raises(InconsistentMigrationHistory):
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)
