"""`manage.py run_task`: from the terminal to the results, and how it ends."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from keys import services as keys
from orchestration import services
from orchestration.management import task_watch
from orchestration.management.commands import run_task as command
from orchestration.management.progress_display import without_control_characters
from orchestration.management.task_watch import hint, task_snapshot
from orchestration.models import Attempt, Task
from orchestration.worker import work_until_done
from tests.actors import ACTOR, GRACE
from tests.orchestration.work import assert_finalized, result_of, say, submit
from tests.threads import wait_until

ROOT = Path(__file__).resolve().parents[2]
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@contextmanager
def working(begin):
    """A worker beside the command, in a thread, as `manage.py work` is in a process; it waits for
    the event `begin`."""
    leaving = threading.Event()

    def run():
        begin.wait(30)
        while not leaving.wait(0.05):
            work_until_done(leaving=leaving)
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        leaving.set()
        begin.set()
        thread.join(30)


@pytest.fixture
def workers(office):
    """A worker that works from the start."""
    begin = threading.Event()
    begin.set()
    with working(begin):
        yield office


def run_task(*args, **options):
    """The output of the command, and its exit code."""
    out = StringIO()
    options = {"agent": "ada"} | options
    try:
        call_command("run_task", *args, stdout=out, **options)
    except SystemExit as end:
        return out.getvalue(), end.code
    return out.getvalue(), 0


def refusal_of(*args, **options):
    """The message of the refusal, after checking its exit code."""
    with pytest.raises(CommandError) as refusal:
        call_command("run_task", *args, stdout=StringIO(), **options)
    assert refusal.value.returncode == 2
    assert not Task.objects.exists()
    return str(refusal.value)


def plan(tmp_path, content):
    """A file with a plan."""
    file = tmp_path / "plan.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


@pytest.mark.django_db(transaction=True)
def test_a_task_is_followed_to_its_results(office, monkeypatch):
    shown, pause = threading.Event(), command._pause

    def pause_when_shown():
        shown.set()
        pause()

    monkeypatch.setattr(command, "_pause", pause_when_shown)
    with working(shown):
        output, code = run_task("Research trends, analyze data, write report", budget=100_000)
        # The command follows the books; the task has it when the last attempt is finalized.
        wait_until(lambda: not Attempt.objects.filter(finalized_at=None).exists())
    [task] = Task.objects.all()
    assert code == 0
    assert "2 analyze data: blocked" in output
    assert "3 write report: succeeded" in output
    for sub_task in task.sub_tasks.all():
        assert result_of(sub_task) in output
    assert "completed: 3 of 3 successful (100.0 %)" in output
    assert f"{task.used:,} of 100,000 tokens" in output
    assert f"/tasks/{task.pk}\n" in output
    assert_finalized(task)


@pytest.mark.django_db(transaction=True)
def test_a_part_that_fails_ends_it_with_one_and_the_results_of_the_others(workers, tmp_path):
    parts = [
        {"id": "good", "description": say("Fetch", output=20)},
        {"id": "bad", "description": say("Break", status=400)},
    ]
    file = plan(tmp_path, {"name": "Half", "sub_tasks": parts, "max_retries": 0})
    output, code = run_task(from_file=file, budget=50_000, json=True)
    assert code == 1
    found = json.loads(output)
    assert (found["status"], found["successRate"]) == ("partial", 50.0)
    assert [each["status"] for each in found["details"]] == ["succeeded", "failed"]
    assert found["details"][0]["result"]
    # The worker adds up what was used after it has told the end.
    wait_until(lambda: Task.objects.get().used == found["totalTokensUsed"])


@pytest.mark.django_db
def test_a_detached_run_returns_at_once(people):
    output, code = run_task("Draw", budget=5_000, detach=True)
    task = Task.objects.get()
    assert code == 0
    assert f"Submitted task {task.pk}: " in output
    assert task.status == "active"


@pytest.mark.django_db
def test_an_option_overrides_the_file(people, tmp_path):
    file = plan(
        tmp_path,
        {
            "name": "From the file",
            "total_budget": 90_000,
            "max_concurrent": 5,
            "sub_tasks": [
                {"id": 1, "description": "Draw"},
                {"id": 2, "description": "Print", "depends_on": [1], "priority": "high"},
            ],
        },
    )
    run_task(from_file=file, max_concurrent=9, detach=True)
    task = Task.objects.get()
    assert (task.name, task.budget, task.max_concurrent) == ("From the file", 90_000, 9)
    assert [one.status for one in task.sub_tasks.all()] == ["waiting", "blocked"]


@pytest.mark.django_db
def test_files_with_a_byte_order_mark_are_read(people, tmp_path):
    plan, text = tmp_path / "plan.json", tmp_path / "plan.md"
    plan.write_bytes(b'\xef\xbb\xbf[{"description": "Draw"}]')
    text.write_bytes("\ufeff1. Research vendors\r\n2. Write report\r\n".encode())
    for file in (plan, text):
        run_task(from_file=file, budget=90_000, detach=True)
    assert [task.sub_tasks.count() for task in Task.objects.order_by("pk")] == [1, 2]


@pytest.mark.django_db
def test_a_task_keeps_what_its_planner_says(people, tmp_path):
    run_task("Alles prüfen", budget=90_000, detach=True)
    run_task("- [x] Draw\n- [ ] Print", budget=90_000, detach=True)
    notes = [task.plan_note for task in Task.objects.order_by("pk")]
    assert "found no list" in notes[0]
    assert notes[1] == "One item that is done was left out."


@pytest.mark.django_db
def test_a_text_is_planned_and_named_after_its_file(people, tmp_path):
    file = tmp_path / "launch.md"
    file.write_text("1. Research the market\n2. Write the report\n")
    run_task(from_file=file, budget=90_000, detach=True)
    task = Task.objects.get()
    assert task.name == "launch"
    assert task.sub_tasks.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{nope", "is not valid JSON"),
        ([{"name": "no description"}], "'description' is a required property"),
        ({"sub_tasks": [{"description": 5}]}, "5 is not of type 'string'"),
        ({"sub_tasks": [], "colour": "red"}, "'colour' was unexpected"),
        ([{"description": "x", "depends_on": ["y"]}], "y"),
        ([], "Send either description or sub_tasks, not both."),
        ("3", "3 is not of type 'object'"),
    ],
)
def test_a_file_that_is_not_a_plan_is_refused_with_a_sentence(people, tmp_path, content, sentence):
    file = plan(tmp_path, content)
    assert sentence in refusal_of(from_file=file, budget=90_000, agent="ada")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("args", "options", "sentence"),
    [
        (["Draw"], {}, "The task needs a budget. Give the number of tokens: --budget N."),
        ([], {"budget": 5}, "Send either description or sub_tasks, not both."),
        (["Draw"], {"budget": 0}, "total_budget must be from 1"),
        (["Draw"], {"budget": 10}, "need at least 100 tokens"),
        (["Draw"], {"budget": 5_000, "agent": "nobody"}, "The agent nobody does not exist."),
        (["Draw"], {"budget": 5_000, "runner": "hammer"}, "The runner hammer does not exist."),
        ([], {"budget": 5_000, "from_file": Path("nowhere.md")}, "nowhere.md cannot be read"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence(people, args, options, sentence):
    assert sentence in refusal_of(*args, **{"agent": "ada"} | options)


@pytest.mark.django_db
def test_the_only_agent_submits_it_and_one_of_several_must_be_named(settings):
    assert "create_agent" in refusal_of("Draw", budget=5_000)
    keys.create_cost_centre("org", actor=ACTOR, now=timezone.now())
    for name in ("zoe", "yan"):
        now = timezone.now()
        agent = keys.create_agent(name, cost_centre="org", actor=ACTOR, now=now)
        if name == "zoe":
            run_task("Draw", budget=5_000, detach=True, agent=None)
            assert Task.objects.get().agent == agent
            Task.objects.update(status="cancelled", ended_at=now)
    with pytest.raises(CommandError, match=r"--agent NAME\. Agents: yan, zoe\."):
        call_command("run_task", "Draw", budget=5_000, stdout=StringIO())


@pytest.mark.django_db
def test_the_demo_fleets_agent_is_the_usual_one_but_not_in_production(people, settings):
    run_task("Draw", budget=5_000, detach=True, agent=None)
    assert Task.objects.get().agent_id == "ada"
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="--agent NAME"):
        call_command("run_task", "Draw", budget=5_000, stdout=StringIO())


@pytest.mark.django_db
def test_the_hint_says_what_the_task_waits_for(people, monkeypatch):
    task = submit("Draw", {"description": "Print", "needs_approval": True})
    assert hint(task_snapshot(task.pk)) == ""
    monkeypatch.setattr(task_watch, "_START_EXPECTED_WITHIN", timedelta(-1))
    assert "Check that `make up` or `manage.py work` is running." in hint(task_snapshot(task.pk))
    now = timezone.now()
    [attempt] = services.claim(worker="w", most=1, now=now)
    assert hint(task_snapshot(task.pk)) == ""
    services.finish_many([services.AttemptOutcome(attempt.pk, 1, "succeeded", text="x")], now=now)
    assert "waits until a person approves a sub-task" in hint(task_snapshot(task.pk))
    services.pause(task_id=task.pk, actor=GRACE, now=now)
    assert "paused by grace" in hint(task_snapshot(task.pk))


def test_a_model_cannot_move_the_cursor():
    assert without_control_characters("a\tb\n\x1b[2J\x07\u202ec") == "a\tb\n�[2J��c"
    assert without_control_characters("Grüße 👩‍🚀") == "Grüße 👩‍🚀"


@pytest.mark.django_db(transaction=True)
def test_ctrl_c_in_a_terminal_cancels_it_and_ends_with_130(workers):
    ours, theirs = pty.openpty()
    slow = say("Wait", latency_ms=60_000)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_task", slow, "--budget", "9000", "--agent", "ada"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": _test_database(), "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    terminal = _Reader(ours)
    wait_until(lambda: Attempt.objects.filter(status="running").exists(), seconds=60)
    wait_until(lambda: "running" in terminal.text, seconds=30)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    wait_until(lambda: "cancelled by command line" in terminal.text, seconds=10)
    assert "Cancelling …" in terminal.text
    assert "sub-tasks" in terminal.text
    assert "Traceback" not in terminal.text
    assert Task.objects.get().status == "cancelled"
    os.close(ours)


@pytest.mark.django_db(transaction=True)
def test_sigterm_cancels_it_and_ends_with_143(office, monkeypatch):
    monkeypatch.setattr(command, "_CANCELLING_SECONDS", 0)
    monkeypatch.setattr(command, "_pause", lambda: os.kill(os.getpid(), signal.SIGTERM))
    before, out = signal.getsignal(signal.SIGTERM), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("run_task", "Draw", budget=5_000, agent="ada", stdout=out)
    assert ended.value.code == 143
    assert Task.objects.get().status == "cancelled"
    assert "Cancelling …" in out.getvalue()
    assert signal.getsignal(signal.SIGTERM) == before


class _Unread(StringIO):
    """The output of `… | head -1`."""

    def write(self, text):
        if self.getvalue():
            raise BrokenPipeError
        return super().write(text)


@pytest.mark.django_db(transaction=True)
def test_output_that_nobody_reads_on_ends_the_command_and_not_the_task(office):
    with pytest.raises(SystemExit) as ended:
        call_command("run_task", "Draw", budget=5_000, agent="ada", stdout=_Unread())
    assert ended.value.code == 141
    assert Task.objects.get().status == "active"


class _Reader:
    """What was printed on a terminal so far, without colours."""

    def __init__(self, file):
        self._file, self._output = file, b""

    @property
    def text(self):
        while select.select([self._file], [], [], 0.05)[0]:
            try:
                self._output += os.read(self._file, 65_536)
            except OSError:  # The other end is closed.
                break
        return _COLOURS.sub("", self._output.decode(errors="replace"))


def _test_database():
    database = connections["default"].settings_dict
    return f"postgres://{database['USER']}@/{database['NAME']}?host={database['HOST']}"
