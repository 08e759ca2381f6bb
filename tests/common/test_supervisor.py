"""Programs run as one: they start again when they die and stop together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
# A supervisor of one program, which forks a child of its own; the last argument is a lock file.
SCRIPT = """
import os, sys
from pathlib import Path
from common.single_instance import claim
from common.supervisor import Program, Supervisor
def say(text):
    print(text, flush=True)
claim(Path(sys.argv[1]))
sleeper = Program("sleeper", [sys.executable, "-c", "import os, time; os.fork(); time.sleep(60)"])
supervisor = Supervisor([sleeper], environ=dict(os.environ), say=say)
supervisor.run(ready=lambda: True, announce=lambda: say("ready"))
say("stopped")
"""


@pytest.fixture
def supervisor(tmp_path):
    """A running supervisor."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "lock")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()


def _descendants(process, *, count):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = psutil.Process(process.pid).children(recursive=True)
        if len(found) == count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{count} descendants expected, {len(found)} found")


def _all_end(processes):
    """Whether all end within 5 s; one that has not been reaped is a zombie, and has ended."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        alive = [process for process in processes if process.is_running()]
        if all(process.status() == psutil.STATUS_ZOMBIE for process in alive):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_with_exit_code_0(supervisor, number):
    below = _descendants(supervisor, count=2)
    supervisor.send_signal(number)
    assert supervisor.wait(10) == 0
    assert supervisor.stdout.read() == "stopped\n"
    assert _all_end(below)


def test_a_program_that_is_killed_starts_again_and_its_leftovers_end(supervisor):
    program, child = _descendants(supervisor, count=2)
    program.kill()
    assert supervisor.stdout.readline() == "sleeper was ended by SIGKILL; it starts again in 1 s.\n"
    assert _all_end([child])
    assert program.pid not in [process.pid for process in _descendants(supervisor, count=2)]


def test_what_a_killed_supervisor_leaves_is_ended_by_the_next(supervisor, tmp_path):
    program, child = _descendants(supervisor, count=2)
    supervisor.kill()
    supervisor.wait()
    program.wait(5)  # The kernel asked it to stop; its child knows nothing and holds the lock.
    assert child.is_running()
    second = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "lock")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert second.stdout.readline() == "ready\n"
        assert _all_end([child])
    finally:
        os.kill(second.pid, signal.SIGTERM)
        second.wait(10)


def test_a_second_instance_is_told_which_process_is_the_first(supervisor, tmp_path):
    second = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "lock")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"process {supervisor.pid} already runs" in second.stderr
