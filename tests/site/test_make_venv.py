"""`make venv` on machines where something is missing: it goes on, or says what to do."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Stands for Python, and for pip: it writes down what it is asked, and fails as FAILS says.
_STUB = """#!/bin/sh
echo "$0 $*" >> "$CALLS"
echo "$0 $*" | grep -qe "$FAILS" && exit 1
case "$*" in
  "-m venv --clear .venv") rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
esac
exit 0
"""


@pytest.fixture
def clone(tmp_path):
    """A folder with what `make venv` reads, and a stub as Python."""
    folder = tmp_path / "a clone's Größe"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.txt").write_text("django==5.2\n")
    stub = folder / "python"
    stub.write_text(_STUB)
    stub.chmod(0o755)
    return folder


def make(clone, *, fails="nothing", python="./python"):
    """Run it; the process, and what Python was asked since the last run."""
    calls = clone / "calls"
    calls.write_text("")
    environ = {"CALLS": str(calls), "FAILS": fails, "PATH": "/usr/bin:/bin"}
    command = ["/usr/bin/make", "venv", f"PYTHON={python}"]
    ended = subprocess.run(
        command, cwd=clone, env=environ, capture_output=True, text=True, check=False
    )
    return ended, calls.read_text()


def test_it_installs_once(clone):
    ended, asked = make(clone)
    assert ended.returncode == 0
    assert "Installing what Butler runs on" in ended.stdout
    assert ".venv/bin/python -m pip install" in asked
    again, asked = make(clone)
    assert (again.returncode, again.stdout) == (0, "")
    assert "install" not in asked
    (clone / "requirements.txt").write_text("django==5.3\n")
    assert "-m pip install" in make(clone)[1]


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("-m pip", "run it again"),
        ("-m venv", "apt-get install python3-venv"),
        ("version_info", "Butler needs Python 3.11, 3.12 or 3.13"),
    ],
)
def test_what_is_missing_is_said_and_the_next_run_goes_on(clone, fails, said):
    ended, _ = make(clone, fails=fails)
    assert ended.returncode != 0
    assert said in ended.stderr
    ended, asked = make(clone)
    assert ended.returncode == 0
    assert "-m pip install" in asked


def test_a_python_that_is_not_there_is_said(clone):
    """O59."""
    ended, _ = make(clone, python="python3.99")
    assert ended.returncode != 0
    assert "Butler needs Python" in ended.stderr


def test_half_an_environment_is_made_again(clone):
    make(clone)
    (clone / ".venv" / "requirements.txt").unlink()
    ended, asked = make(clone, fails="import pip")
    assert ended.returncode == 0
    assert "./python -m venv --clear .venv" in asked
    assert "-m pip install" in asked


def test_an_environment_of_a_python_that_was_replaced_is_filled_again(clone):
    make(clone)
    ended, asked = make(clone, fails="import django")
    assert ended.returncode == 0
    assert "-m pip install" in asked


def test_an_environment_whose_python_is_gone_is_made_again(clone):
    make(clone)
    python = clone / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(clone / "nowhere")
    ended, asked = make(clone)
    assert ended.returncode == 0
    assert "-m venv --clear .venv" in asked
    assert "-m pip install" in asked


def test_a_clone_that_was_moved_installs_with_its_interpreter(clone):
    make(clone)
    moved = clone.rename(clone.with_name("moved"))
    (moved / "requirements.txt").write_text("django==5.3\n")
    ended, asked = make(moved)
    assert ended.returncode == 0
    assert ".venv/bin/python -m pip install" in asked
