"""`manage.py up` from an empty folder to an answer, and back to nothing."""

import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError
from django.db import OperationalError, connection

from butler_site.management.commands import up as up_command
from butler_site.management.commands.up import Command
from tests.database_template import copy_template

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def up(tmp_path):
    """`up()` starts Butler on a free port with a folder of its own; stopped after the test."""
    started = []

    def start(**environ):
        environ = {**os.environ, "BUTLER_VAR_DIR": str(tmp_path), "DATABASE_URL": ""} | environ
        environ.setdefault("PYTHONUNBUFFERED", "1")
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        process.wait(40)


@pytest.fixture
def migrated(tmp_path, django_db_blocker):
    """The folder has a database already, but nothing is in it."""
    with django_db_blocker.unblock():
        copy_template(tmp_path / "postgres")


@pytest.fixture
def port():
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def _read_until(process, text):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"{text!r} never came:\n{''.join(lines)}")


def _status(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def _ready_within(port, *, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if _status(port, "/readyz") == 200:
            return True
        time.sleep(0.2)
    return False


_ADDRESSES = """
from django.conf import settings
print(settings.PUBLIC_URL, settings.SANDBOX_URL, settings.SIMULATOR_URL)
"""
_FIRST_TASKS = """
from orchestration.models import Task
[task] = Task.objects.all()
parts = task.sub_tasks.exclude(sealed_result=None)
print(task.status, parts.count(), 0 < task.used <= 100_000 == task.budget)
"""


def _manage(tmp_path, script):
    """What a script says beside a running Butler."""
    environ = {**os.environ, "BUTLER_VAR_DIR": str(tmp_path), "DATABASE_URL": ""}
    said = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", script],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout.strip()


def _noted(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as response:
        return json.load(response)["notes"]


def _soon(holds, *, seconds):
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.slow
def test_it_starts_from_nothing_answers_and_stops_without_a_trace(up, port, tmp_path):
    process = up(PORT=port)
    said = _read_until(process, "Ctrl-C stops it.")
    name, password = (tmp_path / "sign-in").read_text().split()
    assert f"{name} / {password}" in said
    assert stat.S_IMODE((tmp_path / "sign-in").stat().st_mode) == 0o600
    assert f"http://127.0.0.1:{port}/admin/" in said
    assert _status(port, "/healthz") == 200
    assert _status(port, "/admin/login/") == 200
    assert _ready_within(port, seconds=20)

    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(40) == 0
    left = [one for one in below if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert left == []
    assert not (tmp_path / "postgres" / "data" / "postmaster.pid").exists()

    again = up(PORT=port)
    assert f"{name} / {password}" in _read_until(again, "Ctrl-C stops it.")


@pytest.mark.slow
def test_a_first_task_runs_once_through_the_sandbox(up, migrated, port, tmp_path):
    process = up(PORT=port)
    assert "First task runs now in the sandbox" in _read_until(process, "Ctrl-C stops it.")
    assert _soon(lambda: _manage(tmp_path, _FIRST_TASKS) == "completed 3 True", seconds=40)
    assert _soon(lambda: _noted(port)["task_workers"] == "alive", seconds=10)
    # A command beside it knows where it is, until it stops.
    public, sandbox, simulator = _manage(tmp_path, _ADDRESSES).split()
    assert public == f"http://127.0.0.1:{port}"
    assert urlsplit(sandbox).port != urlsplit(simulator).port
    process.send_signal(signal.SIGINT)
    assert process.wait(40) == 0
    assert _manage(tmp_path, _ADDRESSES) == "http://127.0.0.1:8000"

    again = up(PORT=port)
    assert "First task" not in _read_until(again, "Ctrl-C stops it.")
    assert _manage(tmp_path, _FIRST_TASKS) == "completed 3 True"


@pytest.mark.slow
def test_it_starts_again_after_all_of_it_was_killed(up, migrated, port):
    """O01."""
    first = up(PORT=port)
    _read_until(first, "Ctrl-C stops it.")
    for process in [*psutil.Process(first.pid).children(recursive=True), first]:
        process.kill()
    first.wait()
    second = up(PORT=port)
    _read_until(second, "Ctrl-C stops it.")
    assert _ready_within(port, seconds=20)


@pytest.mark.parametrize("bind", ["[::1]", "256.1.1.1", "a b", "::g"])
def test_an_address_that_is_none_is_said(settings, bind):
    """O55."""
    settings.BIND = bind
    with pytest.raises(CommandError, match="BUTLER_BIND is .* no address of this machine"):
        Command()._require_free_port()


def test_a_port_in_use_is_said_with_what_to_do(up):
    """O55."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = up(PORT=str(port))
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert f"Port {port} of 127.0.0.1 cannot be used (Address already in use)" in said
    assert "make up" in said
    assert "Traceback" not in said


def test_a_database_that_does_not_answer_is_said_without_a_traceback(up, port):
    process = up(PORT=port, DATABASE_URL="postgres://butler:hunter2@127.0.0.1:1/butler")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "The database cannot be used:" in said
    assert "Traceback" not in said
    assert "hunter2" not in said


def test_the_folder_of_another_user_is_said(monkeypatch, settings, tmp_path):
    """O58: root would leave files there that its owner cannot read."""
    settings.VAR_DIR = tmp_path
    settings.DATABASES = {"default": {"EMBEDDED_FOLDER": tmp_path / "postgres"}}

    def refuse(folder):
        raise up_command.EmbeddedPostgresFailed(f"{folder} belongs to another user")

    Command()._require_folder()
    monkeypatch.setattr(up_command, "require_own_data", refuse)
    with pytest.raises(CommandError, match="postgres belongs to another user"):
        Command()._require_folder()


@pytest.mark.django_db
def test_a_restored_house_gets_no_demo_fleet(monkeypatch, settings, tmp_path, people):
    """O53: nor does another host of a database that is in use; a start that was cut off goes on."""
    settings.VAR_DIR, settings.PRODUCTION = tmp_path, False
    called = []
    monkeypatch.setattr(up_command, "call_command", lambda name, **options: called.append(name))
    person = User.objects.create_user("grace")
    command = Command(stdout=io.StringIO())
    command._prepare_files()
    assert (called, list(tmp_path.iterdir())) == ([], [])
    person.delete()
    command._prepare_files()
    assert called == ["load_demo_fleet", "load_demo_usage"]


@pytest.mark.parametrize(
    "error",
    [
        OperationalError('could not extend file "base/1/2": No space left on device'),
        OperationalError("the database system is in recovery mode"),
    ],
)
def test_a_disk_that_fills_up_while_it_prepares_is_said(monkeypatch, error):
    """O61."""
    monkeypatch.setattr(connection, "ensure_connection", lambda: None)
    says = f"The database cannot be used: {re.escape(str(error))}"
    with pytest.raises(CommandError, match=says), up_command._database_needed():
        raise error


def test_a_place_that_cannot_be_told_to_commands_stops_nothing(settings, tmp_path, caplog):
    """O61."""
    settings.VAR_DIR = tmp_path / "gone"
    with up_command._told({}):
        pass
    assert "do not know where it is" in caplog.text
