"""The embedded PostgreSQL: joined, counted, and started again after a crash of anything."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from common import embedded_postgres
from common.embedded_postgres import server as embedded_server
from tests.common.embedded import running_server

# A busy machine takes long to write a checkpoint.
_SECONDS_MAX = 120
ROOT = Path(__file__).resolve().parents[2]
# Starts or joins the server in the folder given, says so, and leaves when its input closes.
USER = """
import sys
from pathlib import Path
from common import embedded_postgres
folder = Path(sys.argv[1])
embedded_postgres.start(folder)
print(embedded_postgres.connection_settings(folder)["HOST"], flush=True)
sys.stdin.read()
"""


def _use(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.host = process.stdout.readline().strip()
    return process


def _leave(process):
    process.stdin.close()
    assert process.wait(_SECONDS_MAX) == 0


def test_the_last_user_to_leave_stops_it_however_the_others_left(folder):
    first, second, third = (_use(folder) for _ in range(3))
    server = running_server(folder)
    assert first.host == second.host
    second.kill()
    second.wait()
    _leave(third)
    assert running_server(folder) == server
    _leave(first)
    assert running_server(folder) is None


def test_it_starts_again_after_everything_was_killed_and_keeps_the_data(folder):
    first = _use(folder)
    with psycopg.connect(host=first.host, user="postgres", dbname="butler") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    server = running_server(folder)
    first.kill()
    first.wait()
    server.kill()
    server.wait(_SECONDS_MAX)
    again = _use(folder)
    with psycopg.connect(host=again.host, user="postgres", dbname="butler") as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1,)
    _leave(again)


def test_the_log_is_private_and_has_no_text_of_statements(folder):
    """An error of a statement, its parameters and the rows that it concerns may have prompts."""
    folder.mkdir()
    (folder / "log").touch(mode=0o644)
    user = _use(folder)
    with psycopg.connect(host=user.host, user="postgres", dbname="butler", autocommit=True) as way:
        way.execute("CREATE TABLE prompts (id int PRIMARY KEY, prompt text UNIQUE)")
        way.execute("INSERT INTO prompts VALUES (1, 'confidential')")
        for statement in (
            "INSERT INTO prompts VALUES (2, %s)",
            "INSERT INTO prompts VALUES (2, %s), (NULL, 'x')",
        ):
            with pytest.raises(psycopg.IntegrityError):
                way.execute(statement, ["confidential"])
        with pytest.raises(psycopg.IntegrityError):
            way.execute("INSERT INTO prompts VALUES (1, 'confidential')")
    log = folder / "log"
    assert log.stat().st_mode & 0o777 == 0o600
    assert "duplicate key value" in log.read_text()
    assert "confidential" not in log.read_text()
    _leave(user)


def test_a_stranger_with_the_process_id_of_a_dead_server_is_not_waited_for(folder):
    _leave(_use(folder))
    pid_file = folder / "data" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{folder / 'data'}\n")
    again = _use(folder)
    assert running_server(folder).pid != os.getpid()
    _leave(again)


def test_a_start_that_was_killed_leaves_no_half_of_a_cluster(folder):
    (folder / "data.unfinished").mkdir(parents=True)
    (folder / "data.unfinished" / "PG_VERSION").write_text("18\n")
    user = _use(folder)
    assert user.host
    _leave(user)


def test_a_path_too_long_for_a_socket_gets_a_short_one(tmp_path):
    folder = tmp_path / ("long-" * 30)
    user = _use(folder)
    assert user.host.startswith("/tmp/butler-")  # noqa: S108
    assert Path(user.host).stat().st_mode & 0o077 == 0
    _leave(user)


@pytest.mark.django_db
def test_the_calling_process_is_a_user_only_once():
    folder = connection.settings_dict.get("EMBEDDED_FOLDER")
    if folder is None:
        pytest.skip("DATABASE_URL is set: nothing is embedded")
    before = dict(embedded_server._used)
    assert folder in before
    embedded_postgres.start(folder)
    assert embedded_server._used == before


@pytest.mark.parametrize("name", ["a, b", 'say "x"', "$HOME `id`"])
def test_a_path_that_postgresql_would_read_otherwise_gets_a_short_one(tmp_path, name):
    host = embedded_postgres.connection_settings(tmp_path / name)["HOST"]
    assert host.startswith("/tmp/butler-")  # noqa: S108
    plain = embedded_postgres.connection_settings(Path("/srv/it's Bücher/100%"))["HOST"]
    assert plain == "/srv/it's Bücher/100%/data"


def test_it_runs_in_a_folder_with_signs_of_shells_and_lists(tmp_path):
    folder = tmp_path / 'a, "b" $HOME `id`'
    user = _use(folder)
    assert running_server(folder)
    _leave(user)
    assert running_server(folder) is None


def test_a_folder_whose_name_has_lines_is_refused(tmp_path):
    with pytest.raises(embedded_postgres.EmbeddedPostgresFailed, match="set BUTLER_VAR_DIR"):
        embedded_postgres.start(tmp_path / "a\nb")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_does_not_wait_for_the_data_of_another_user(folder):
    (folder / "data").mkdir(parents=True)
    os.chown(folder / "data", 12_345, 12_345)
    with pytest.raises(embedded_postgres.EmbeddedPostgresFailed, match="belongs to another user"):
        embedded_postgres.start(folder)
