"""Command-line agents: their input, output and limits, and that all their processes end."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest
from django.utils import timezone

from keys.models import Charge
from orchestration import runners, services
from orchestration.refusals import RunnerNotFound
from orchestration.runners.attempt_folder import Folder
from orchestration.runners.base import Failed, Work
from orchestration.runners.bubblewrap import system_python
from orchestration.runners.command import CommandRunner
from tests.actors import GRACE
from tests.books import assert_books_balance
from tests.gateway.server import gateway_on, lend, supply
from tests.orchestration.fences import needs_fence, running_with
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "bs_butler-7-1-x_" + "s3cret" * 7 + "x"
CALLS_THE_GATEWAY = """
import json, os, sys, urllib.request
request = urllib.request.Request(
    os.environ["WHERE"] + "/chat/completions",
    json.dumps({"model": os.environ["MODEL"],
                "messages": [{"role": "user", "content": sys.stdin.read()}]}).encode(),
    {"authorization": "Bearer " + os.environ["SESSION"], "content-type": "application/json"},
)
with urllib.request.urlopen(request) as answer:
    print(json.load(answer)["choices"][0]["message"]["content"])
"""


@pytest.fixture(autouse=True)
def var_dir(tmp_path, settings):
    """Working folders of this test alone."""
    settings.VAR_DIR = tmp_path / "var"
    return settings.VAR_DIR


@pytest.fixture(params=[pytest.param("", marks=needs_fence), "test"], ids=["fenced", "unfenced"])
def unfenced_because(request):
    """Everything holds in the fence as without."""
    return request.param


@pytest.fixture
def configure_command(unfenced_because):
    """`configure_command("echo hello", **terms)`: a command that runs this script of the shell."""

    def configure(script, *arguments, python=False, **terms):
        argv = [system_python(), "-c", script] if python else ["/bin/sh", "-c", script, "agent"]
        return command([*argv, *arguments], unfenced_because=unfenced_because, **terms)

    return configure


def command(argv, **terms):
    """A command that runs this program."""
    usual = {"argv": argv, "wire_format": "openai"}
    return services.set_command(
        "agent",
        terms=services.CommandTerms(**{**usual, **terms}),
        reason="test",
        actor=GRACE,
        now=timezone.now(),
    )


def work(prompt="hello", **changes):
    """An attempt by the command."""
    usual = {
        "session_id": "butler-7-1-x",
        "label": "butler-test",
        "prompt": prompt,
        "runner": "command:agent",
        "model": "gpt-4o",
        "wire_format": "openai",
        "tokens": 1000,
        "seconds": 60,
        "gateway_url": "http://127.0.0.1:9/v1",
        "token": TOKEN,
    }
    return Work(**{**usual, **changes})


@asynccontextmanager
async def running():
    """A runner of this event loop."""
    runner = CommandRunner()
    try:
        yield runner
    finally:
        await runner.close()


def run_attempt(asked):
    """The result of an attempt, as a worker waits for it."""

    async def carry():
        async with running() as runner:
            handle = await runner.spawn(asked)
            try:
                while not await runner.poll(asked, handle, seconds=5):
                    pass
                return await runner.result(asked, handle)
            finally:
                await runner.forget(asked, handle)

    return asyncio.run(carry())


def failure(asked):
    """How an attempt fails."""
    with pytest.raises(Failed) as caught:
        run_attempt(asked)
    assert TOKEN not in caught.value.says
    return caught.value


async def until(holds):
    """`wait_until` beside what runs in this loop."""
    await asyncio.to_thread(wait_until, holds)


def test_what_it_prints_is_the_result(configure_command):
    configure_command("echo heard: $(cat)")
    result = run_attempt(work("do this"))
    assert result.text == "heard: do this\n"
    assert (result.facts["command"], result.facts["output_bytes"]) == ("agent", 15)


HOSTILE = 'it\'s "$(touch /tmp/x)" `id` $HOME\n-rf {token} {model} ; exit 3 \\ *'


@pytest.mark.parametrize("prompt", [HOSTILE, "--version", "-", "{prompt}"])
@pytest.mark.parametrize(
    ("prompt_by", "arguments", "script"),
    [
        ("stdin", [], "cat"),
        ("argument", ["--", "{prompt}"], 'test $# = 2 && printf %s "$2"'),
        ("argument", ["--say={prompt}"], 'test $# = 1 && printf %s "${1#--say=}"'),
        ("file", ["{prompt_file}"], 'test $# = 1 && cat "$1"'),
    ],
)
def test_a_prompt_arrives_as_it_is_and_is_one_argument(
    configure_command, prompt, prompt_by, arguments, script
):
    configure_command(script, *arguments, prompt_by=prompt_by)
    assert run_attempt(work(prompt)).text == prompt


def test_a_value_of_a_request_never_becomes_an_option(configure_command):
    configure_command("echo $@", "{model}")
    failed = failure(work(model="--dangerous"))
    assert (failed.kind, "read it as an option" in failed.says) == ("refused", True)


def test_a_prompt_too_long_for_an_argument_is_refused(configure_command):
    configure_command("echo", "--", "{prompt}", prompt_by="argument")
    assert failure(work("x" * 3_000_000)).kind == "refused"


def test_its_environment_has_nothing_of_butlers_own(
    configure_command, unfenced_because, monkeypatch
):
    """O12."""
    monkeypatch.setenv("BUTLER_SECRET_KEY", "of butler")
    configure_command(
        "env | sort",
        environment={"BASE": "{gateway_url}", "ROOT": "{gateway_root}", "FIXED": "a=b"},
    )
    lines = run_attempt(work()).text.splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    root = "http://127.0.0.1:9" if unfenced_because else "http://127.0.0.1:8080"
    assert (environment["BASE"], environment["ROOT"]) == (f"{root}/v1", root)
    assert environment["FIXED"] == "a=b"
    of_the_shell = {"PWD", "SHLVL", "_", "OLDPWD"}
    assert environment.keys() - of_the_shell == {
        "PATH",
        "HOME",
        "LANG",
        "TMPDIR",
        "BASE",
        "ROOT",
        "FIXED",
    }
    assert environment["HOME"] == environment["PWD"]


def test_it_works_in_a_folder_of_its_own_that_is_gone_afterwards(
    configure_command, unfenced_because, var_dir
):
    configure_command("umask; stat -c %a .. ; pwd; touch there; mkdir -p a/b; ls")
    said = run_attempt(work()).text.splitlines()
    assert said[1] == "700"
    folder = var_dir / "work" / "butler-7-1-x" if unfenced_because else Path("/attempt")
    assert said[2] == str(folder / "home")
    assert "there" in said
    assert list((var_dir / "work").iterdir()) == []


def test_its_folder_is_gone_also_when_it_fails(configure_command, var_dir):
    configure_command("exit 1")
    failure(work())
    assert list((var_dir / "work").iterdir()) == []


def test_it_spends_what_was_lent_through_the_gateway(configure_command, sandbox, settings):
    supply("key-1")
    with gateway_on(sandbox, settings) as gateway:
        session = lend(gateway.url)
        environment = {"WHERE": "{gateway_url}", "SESSION": "{token}", "MODEL": "{model}"}
        configure_command(CALLS_THE_GATEWAY, python=True, environment=environment)
        asked = work("[[sandbox output=50]]", gateway_url=f"{gateway.url}/v1", token=session.token)
        assert "the sandbox" in run_attempt(asked).text
        charge = Charge.objects.get()
        assert (charge.status, charge.allocation) == ("settled", session.allocation)
    assert_books_balance()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo some words; echo out of paper >&2; exit 3", "exit code 3: out of paper"),
        ("echo no more paper; exit 1", "exit code 1: no more paper"),
        ("kill -SEGV $$", "killed by SIGSEGV"),
    ],
)
def test_a_command_that_fails_says_why(configure_command, script, says):
    configure_command(script)
    failed = failure(work())
    assert failed.kind == "failed"
    assert failed.says.startswith(says)


def test_the_token_is_in_nothing_that_is_kept(configure_command):
    environment = {"SESSION": "{token}"}
    configure_command("echo $SESSION; echo $SESSION >&2", environment=environment)
    result = run_attempt(work())
    assert result.text == "[redacted]\n"
    assert "s3cret" not in str(result.facts)
    configure_command("echo it was $SESSION >&2; exit 1", environment=environment)
    assert "s3cret" not in failure(work()).says


@pytest.mark.parametrize("before", range(1, 60, 7))
def test_not_even_a_piece_of_the_token_is_kept_where_the_output_was_cut(configure_command, before):
    configure_command(
        f"printf %{before}s; printf %s $SESSION; head -c 5000 /dev/zero | tr '\\0' x;"
        f" printf %s $SESSION; printf %{before}s",
        environment={"SESSION": "{token}"},
        output_bytes_max=120,
    )
    text = run_attempt(work()).text
    assert "left out" in text
    assert "s3crets3cret" not in text


def test_of_a_long_output_beginning_and_end_are_kept(configure_command):
    """O09."""
    configure_command(
        "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo last", output_bytes_max=1000
    )
    result = run_attempt(work())
    assert result.text.startswith("first\n")
    assert result.text.endswith("last\n")
    assert len(result.text) < 1_100
    assert result.facts["output_bytes_left_out"] == 3_000_011 - 1000


def test_what_no_database_can_keep_is_replaced(configure_command):
    configure_command(r"printf 'a\000b\377c'")
    assert run_attempt(work()).text == "a\ufffdb\ufffdc"


def test_a_result_may_be_a_field_of_json(configure_command):
    configure_command(
        """echo '{"a": {"result": "done"}}'""", result_from="json", result_path="a.result"
    )
    assert run_attempt(work()).text == "done"


def test_a_result_may_be_a_file(configure_command):
    configure_command(
        "echo noise; printf done > answer.txt", result_from="file", result_path="answer.txt"
    )
    assert run_attempt(work()).text == "done"


@pytest.mark.parametrize(
    ("script", "terms"),
    [
        ("true", {}),
        ("echo '  '", {}),
        ("echo no json", {"result_from": "json", "result_path": "result"}),
        ("echo '[]'", {"result_from": "json", "result_path": "result"}),
        (
            "head -c 99 /dev/zero",
            {"result_from": "json", "result_path": "a", "output_bytes_max": 9},
        ),
        ("true", {"result_from": "file", "result_path": "answer"}),
        ("ln -s /etc/passwd answer", {"result_from": "file", "result_path": "answer"}),
        ("mkfifo answer", {"result_from": "file", "result_path": "answer"}),
        (
            "echo too long > answer",
            {"result_from": "file", "result_path": "answer", "output_bytes_max": 5},
        ),
    ],
)
def test_an_answer_that_is_not_where_it_should_be_is_unusable(configure_command, script, terms):
    configure_command(script, **terms)
    assert failure(work()).kind == "unusable_answer"


@pytest.mark.parametrize("program", ["/no/such/program", "/etc/passwd"])
def test_a_program_that_cannot_be_started_is_a_mistake_in_the_setup(
    program, unfenced_because, var_dir
):
    command([program], unfenced_because=unfenced_because)
    assert failure(work()).kind == "misconfigured"
    assert list((var_dir / "work").iterdir()) == []


def test_only_what_is_configured_and_enabled_is_run(configure_command):
    assert failure(work(runner="command:/bin/sh")).kind == "misconfigured"
    configure_command("echo hello", enabled=False)
    assert failure(work()).kind == "misconfigured"


# Starts others, one of them deaf to SIGTERM, and writes down who they are.
FAMILY = """
(trap '' TERM; echo $$ > deaf; while :; do sleep 1; done) &
sleep 300 &
echo $! > pids
cat /proc/self/stat > /dev/null
touch ready
wait
"""


async def family_of(runner, asked):
    """The handle of a running family, and its processes."""
    handle = await runner.spawn(asked)
    leader = psutil.Process(handle["pid"])
    await until(lambda: (home_of(leader) / "ready").exists())
    return handle, [leader, *leader.children(recursive=True)]


def home_of(leader):
    """The working folder, as the last process that it started has it."""
    return Path(f"/proc/{[leader, *leader.children(recursive=True)][-1].pid}/cwd")


def have_ended(processes):
    """Whether all these processes have ended."""
    return not any(map(is_alive, processes))


def is_alive(process):
    """Whether a process still does something."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def test_cancelling_ends_also_what_it_started(configure_command):
    configure_command(FAMILY)

    async def cancelled():
        async with running() as runner:
            handle, family = await family_of(runner, work())
            assert len(family) >= 3
            began = time.monotonic()
            await runner.cancel(work(), handle)
            took = time.monotonic() - began
            await until(lambda: have_ended(family))
            with pytest.raises(Failed):
                await runner.result(work(), handle)
            return took

    assert asyncio.run(cancelled()) < 5


def test_one_that_ignores_the_request_to_stop_is_killed(configure_command):
    """O02."""
    configure_command("trap '' TERM; touch ready; while :; do sleep 0.1; done")

    async def cancelled():
        async with running() as runner:
            handle, family = await family_of(runner, work())
            await runner.cancel(work(), handle)
            await until(lambda: have_ended(family))
            await runner.cancel(work(), None)
            with pytest.raises(Failed) as failed:
                await runner.result(work(), handle)
            return failed.value.says

    assert asyncio.run(cancelled()).startswith("killed by SIGKILL")


def test_forgetting_it_ends_it(configure_command, var_dir):
    configure_command(FAMILY)

    async def forgotten():
        async with running() as runner:
            handle, family = await family_of(runner, work())
            await runner.forget(work(), handle)
            await until(lambda: have_ended(family))

    asyncio.run(forgotten())
    assert list((var_dir / "work").iterdir()) == []


def test_a_grandchild_that_keeps_the_pipe_open_does_not_hold_it_up(configure_command):
    configure_command("sleep 300.25 & echo done")
    began = time.monotonic()
    result = run_attempt(work())
    assert time.monotonic() - began < 5
    assert result.text == "done\n"
    wait_until(lambda: not running_with("300.25"))


@pytest.mark.parametrize(
    "script",
    [
        "(setsid sleep 300.31 &); echo done",
        "setsid sh -c 'sleep 300.31 & exec sleep 300.31' & echo done",
        "(cd /; setsid nohup sleep 300.31 >/dev/null 2>&1 &); echo done",
        "(unset HOME TMPDIR; setsid sleep 300.31 >/dev/null 2>&1 &); echo done",
    ],
)
def test_a_child_that_leaves_the_process_group_ends_with_it(configure_command, script):
    """O03."""
    configure_command(script)
    assert run_attempt(work()).text == "done\n"
    wait_until(lambda: not running_with("300.31"))


def test_folders_that_a_program_made_read_only_are_removed(configure_command, var_dir):
    """O39."""
    configure_command("mkdir -p a/b; touch a/b/c; chmod 500 a/b a; echo done")
    assert run_attempt(work()).text == "done\n"
    assert list((var_dir / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("levels", "mode"), [(3, 0o000), (3, 0o300), (3, 0o500), (1_500, 0o700), (1_500, 0o400)]
)
def test_no_tree_that_a_program_leaves_is_too_deep_or_too_closed(var_dir, levels, mode):
    """O39: a path of 1,500 levels is longer than the system takes."""
    folder = Folder("closed")
    folder.make("prompt")
    above = os.open(folder.home, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("a" * 8, dir_fd=above)
        os.mkfifo(b"\xff", dir_fd=above)
        os.symlink("/", "link", dir_fd=above)
        below = os.open("a" * 8, os.O_RDONLY, dir_fd=above)
        os.fchmod(above, mode)
        os.close(above)
        above = below
    os.close(above)
    try:
        folder.remove()
        assert list((var_dir / "work").iterdir()) == []
    finally:
        # The clean-up of the test run takes no such tree.
        if folder.path.exists():
            subprocess.run(["rm", "-rf", str(folder.path)], check=False)


def test_a_poll_waits_as_long_as_it_is_told(configure_command):
    # It waits until a process opens the other end.
    configure_command("mkfifo go; touch ready; read -r line < go; echo $line")

    async def polled():
        async with running() as runner:
            handle, (leader, *_) = await family_of(runner, work())
            began = time.monotonic()
            assert not await runner.poll(work(), handle, seconds=0.2)
            assert 0.15 < time.monotonic() - began < 2
            await asyncio.to_thread((home_of(leader) / "go").write_text, "now\n")
            assert await runner.poll(work(), handle, seconds=20)
            return await runner.result(work(), handle)

    assert asyncio.run(polled()).text == "now\n"


def test_spawning_twice_is_one_child(configure_command):
    configure_command("touch ready; sleep 300")

    async def spawned():
        async with running() as runner:
            handle, _ = await family_of(runner, work())
            assert await runner.spawn(work()) == handle
            assert TOKEN not in str(handle)

    asyncio.run(spawned())


@pytest.mark.parametrize("how", ["with its handle", "without", "spawned again"])
def test_what_another_process_started_is_ended_and_lost(configure_command, var_dir, how):
    configure_command(FAMILY)

    async def taken_over():
        async with running() as silent, running() as other:
            handle, family = await family_of(silent, work())
            with pytest.raises(Failed) as failed:
                if how == "with its handle":
                    await other.poll(work(again=True), handle, seconds=1)
                elif how == "without":
                    await other.spawn(work(again=True))
                else:
                    await other.spawn(work())
            assert failed.value.kind == "lost"
            await until(lambda: have_ended(family))

    asyncio.run(taken_over())
    assert list((var_dir / "work").iterdir()) == []


def test_cancelling_what_another_process_started_ends_it(configure_command):
    configure_command(FAMILY)

    async def cancelled():
        async with running() as silent, running() as other:
            handle, family = await family_of(silent, work())
            await other.cancel(work(), handle)
            await until(lambda: have_ended(family))
            return family

    assert have_ended(asyncio.run(cancelled()))


def test_a_process_that_has_got_the_number_since_is_left_alone(configure_command):
    configure_command("touch ready; sleep 300")

    async def taken_over():
        async with running() as silent, running() as other:
            handle, family = await family_of(silent, work())
            stale = {**handle, "started": handle["started"] - 1000}
            Folder(work().session_id).note_child(stale["pid"], stale["started"])
            with pytest.raises(Failed):
                await other.poll(work(again=True), stale, seconds=1)
            assert not have_ended(family)

    asyncio.run(taken_over())


WORKER = """
import asyncio
import os
from pathlib import Path
import django
django.setup()
from orchestration.runners.fence import Fence, Limits
from orchestration.runners.process_group import Child, Program

async def start():
    program = Program(["/bin/sleep", "300"], {}, Path("/"), None, 100)
    child = await START
    print(child.pid, flush=True)
    await asyncio.sleep(300)

asyncio.run(start())
"""
UNFENCED = "Child.start(program)"
FENCED = """Fence("http://127.0.0.1:9/v1", Limits(10**9, 50, 10**7), []).start(
        program, Path("/dev/null")
    )"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of it")
@pytest.mark.parametrize("start", [UNFENCED, pytest.param(FENCED, marks=needs_fence)])
def test_a_child_ends_with_the_worker_that_is_killed(settings, start):
    # It asks no database.
    environment = {**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:9/nothing"}
    environment["DJANGO_SETTINGS_MODULE"] = "butler_site.settings"

    async def killed():
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WORKER.replace("START", start),
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        child = psutil.Process(int(await worker.stdout.readline()))
        family = [child, *child.children(recursive=True)]
        worker.kill()
        await worker.wait()
        await until(lambda: have_ended(family))
        return family

    assert have_ended(asyncio.run(killed()))


@pytest.mark.slow
def test_a_hundred_at_once_are_heard(configure_command):
    configure_command("cat; sleep 0.3")

    async def one(runner, number):
        asked = work(f"number {number}", session_id=f"s-{number}")
        handle = await runner.spawn(asked)
        assert await runner.poll(asked, handle, seconds=60)
        text = (await runner.result(asked, handle)).text
        await runner.forget(asked, handle)
        return text

    async def all_of_them():
        async with running() as runner:
            return await asyncio.gather(*(one(runner, number) for number in range(100)))

    assert asyncio.run(all_of_them()) == [f"number {number}" for number in range(100)]


def test_the_registry_knows_what_is_configured_and_enabled(configure_command):
    configure_command("true", wire_format="anthropic", refusal_status=400)
    runners.check("model", agent=None)
    runners.check("command:agent", agent=None)
    assert runners.terms("command:agent", agent=None) == ("anthropic", 400)
    assert runners.terms("model", agent=None) == (None, None)
    configure_command("true", enabled=False)
    for unknown in ("command:agent", "command:other", "command", "telepathy", ""):
        with pytest.raises(RunnerNotFound) as failed:
            runners.check(unknown, agent=None)
        assert "model" in failed.value.detail


def test_a_worker_has_one_runner_of_a_kind(configure_command):
    async def held():
        kept = runners.Runners()
        same = kept.of("command:agent") is kept.of("command:other")
        other = kept.of("model") is not kept.of("command:agent")
        await kept.close()
        return same, other

    assert asyncio.run(held()) == (True, True)
