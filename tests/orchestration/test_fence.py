"""What a command in its fence cannot reach, and what it cannot use up."""

import asyncio
import json
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from orchestration.runners import fence
from orchestration.runners.bubblewrap import system_python
from tests.gateway.server import gateway_on, supply
from tests.orchestration.fences import needs_fence, running_with
from tests.orchestration.test_command_runner import (
    command,
    failure,
    run_attempt,
    running,
    until,
    var_dir,
    work,
)
from tests.threads import wait_until

__all__ = ["var_dir"]
pytestmark = [pytest.mark.django_db(transaction=True), needs_fence]

CANARY = "canary-of-butler"


def shell(script, *, marker="agent", **terms):
    """A command that runs this script of the shell; its processes have `marker` as an argument."""
    return command(["/bin/sh", "-c", script, marker], **terms)


def python(script, *, marker="agent", **terms):
    """A command that runs this script of Python."""
    return command([system_python(), "-c", script, marker], **terms)


def assert_the_next_works():
    """The runner is as good as before."""
    shell("echo fine")
    assert run_attempt(work()).text == "fine\n"


@pytest.fixture
def secrets(var_dir):
    """Files as Butler has them, each with the canary in it."""
    for name in ("secret.key", "sign-in", "vault.keys", "work/butler-8-1-y/home/notes"):
        path = var_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CANARY)
    return var_dir


# In each: {var} is where Butler keeps its files, {worker} its process id, {name} a variable of it.
LOOKS = {
    "secrets": "cat {var}/secret.key {var}/sign-in {var}/vault.keys",
    "other sessions": "cat {var}/work/butler-8-*/home/*",
    "beside its own folder": "cat ../../butler-8-*/home/* ../../../secret.key",
    "the environment of the worker": "grep -azo ^{name}= /proc/{worker}/environ",
    "the environment of all": "grep -hazo ^{name}= /proc/[0-9]*/environ",
    "the disk of the worker": "cat /proc/{worker}/root/{var}/secret.key",
    "the descriptors of the worker": "ls /proc/{worker}/fd",
    "the code": "cat {code}/manage.py",
    "the programs of others": "ls /proc | grep -x {worker}",
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_command_sees_nothing_of_butlers(look, secrets, settings):
    script = look.format(
        var=secrets, code=settings.BASE_DIR, worker=os.getpid(), name=variable_of_butler()
    )
    shell(f"{script} 2>/dev/null; echo .", unfenced_because="to see that there is something")
    assert run_attempt(work()).text != ".\n"
    shell(f"{script} 2>/dev/null; echo .")
    assert run_attempt(work()).text == ".\n"


def variable_of_butler():
    """The name of a variable that this process was started with, and no command."""
    lines = Path("/proc/self/environ").read_bytes().split(b"\0")
    names = [line.split(b"=")[0].decode() for line in lines if line]
    return next(name for name in names if name not in ("PATH", "HOME", "LANG", "TMPDIR", "_"))


CONNECTS = """
import json, socket, sys
for name, family, address in json.load(sys.stdin):
    with socket.socket(getattr(socket, family)) as one:
        one.settimeout(5)
        try:
            one.connect(address if isinstance(address, str) else tuple(address))
            print(name)
        except OSError:
            pass
print(".")
"""


def test_a_command_connects_to_nothing_but_the_gateway(settings):
    database = settings.DATABASES["default"]
    host, port = database["HOST"], int(database["PORT"] or 5432)
    with socket.create_server(("127.0.0.1", 0)) as other:
        here = [
            ("butler", "AF_INET", other.getsockname()),
            ("database", "AF_UNIX", f"{host}/.s.PGSQL.{port}")
            if host.startswith("/")
            else ("database", "AF_INET", (host, port)),
        ]
        python(CONNECTS, unfenced_because="to see that there is something")
        assert run_attempt(work(json.dumps(here))).text == "butler\ndatabase\n.\n"
        away = [
            ("internet", "AF_INET", ("1.1.1.1", 443)),
            ("metadata", "AF_INET", ("169.254.169.254", 80)),
            ("resolver", "AF_INET6", ("2606:4700:4700::1111", 53)),
        ]
        python(CONNECTS)
        assert run_attempt(work(json.dumps(here + away))).text == ".\n"


ASKS = """
import os, sys, urllib.error, urllib.request
for target in sys.stdin.read().split():
    try:
        with urllib.request.urlopen(os.environ["ROOT"] + target) as answer:
            print(answer.status)
    except urllib.error.HTTPError as refusal:
        print(refusal.code)
"""


def test_of_butler_itself_only_the_gateway_is_there(sandbox, settings):
    supply("key-1")
    with gateway_on(sandbox, settings) as gateway:
        python(ASKS, environment={"ROOT": "{gateway_root}"})
        targets = "/v1/models / /v1 /v1/ /admin/ /api/v1/status /v1/../x /v1//models /v1/%2e%2e/x"
        answers = run_attempt(work(targets, gateway_url=f"{gateway.url}/v1")).text.split()
    # The gateway's own answer to a call without a token, and those of the fence.
    assert answers == ["401", *["403"] * 8]


SPEAKS = """
import os, socket, sys
from urllib.parse import urlsplit
where = urlsplit(os.environ["ROOT"])
with socket.create_connection((where.hostname, where.port)) as one:
    one.sendall(sys.stdin.buffer.read())
    while piece := one.recv(65536):
        sys.stdout.buffer.write(piece)
"""


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ("nonsense\r\n\r\n", "400"),
        (
            "GET /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\n",
            "400",
        ),
        ("GET http://127.0.0.1/admin/ HTTP/1.1\r\nHost: x\r\n\r\n", "403"),
        ("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", "502"),
    ],
)
def test_what_is_no_request_for_the_gateway_is_not_forwarded(said, answered):
    # Nothing listens at the address of the gateway.
    python(SPEAKS, environment={"ROOT": "{gateway_root}"})
    assert run_attempt(work(said)).text.startswith(f"HTTP/1.1 {answered} ")


def test_a_second_request_behind_the_first_does_not_reach_butler():
    python(SPEAKS, environment={"ROOT": "{gateway_root}"})
    first = "POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    heard = []

    async def gateway(reader, writer):
        heard.append(await reader.readuntil(b"{}"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.write_eof()
        heard.append(await reader.read())
        writer.close()

    async def attempt():
        server = await asyncio.start_server(gateway, "127.0.0.1", 0)
        asked = work(
            f"{first}GET /admin/ HTTP/1.1\r\nHost: x\r\n\r\n",
            gateway_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1",
        )
        async with running() as runner:
            handle = await runner.spawn(asked)
            await runner.poll(asked, handle, seconds=60)
            await runner.forget(asked, handle)
        server.close()

    asyncio.run(attempt())
    assert b"connection: close" in heard[0].lower()
    assert heard[1:] == [b""]


def test_it_writes_only_in_its_folder():
    shell(
        "for one in / /usr /etc /dev /proc/sys/kernel . /tmp /dev/shm;"
        " do touch $one/x 2>/dev/null && echo $one; done; (echo x > ../prompt.txt) 2>/dev/null; cat"
    )
    assert run_attempt(work("prompt")).text == ".\n/tmp\n/dev/shm\nprompt"


@pytest.fixture
def tools():
    """A folder beside the system's with a program in it, for every user to read."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))  # noqa: S108  a test's own is for its user alone
    folder.chmod(0o755)
    (folder / "tool").write_text("#!/bin/sh\necho a tool\ntouch $0.x 2>/dev/null || echo no more\n")
    (folder / "tool").chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_further_folder_can_be_read_and_not_written(tools):
    command([f"{tools}/tool"])
    assert failure(work()).kind == "misconfigured"
    command([f"{tools}/tool"], read_only_folders=[str(tools)])
    assert run_attempt(work()).text == "a tool\nno more\n"


def test_a_folder_with_butlers_files_in_it_is_never_shown(tools, settings):
    shell("true", read_only_folders=[str(tools)])
    settings.VAR_DIR = tools / "var"
    failed = failure(work())
    assert (failed.kind, "has Butler's own files in it" in failed.says) == ("misconfigured", True)


def test_butlers_files_below_usr_are_hidden(settings):
    settings.BASE_DIR = Path("/usr/share")
    shell("ls /usr/share; echo .")
    assert run_attempt(work()).text == ".\n"


def test_without_bubblewrap_it_is_refused_unless_the_fence_is_switched_off(monkeypatch, var_dir):
    monkeypatch.setenv("PATH", "/nowhere")
    shell("echo hello")
    failed = failure(work())
    assert failed.kind == "misconfigured"
    assert "bubblewrap is not installed" in failed.says
    assert list((var_dir / "work").iterdir()) == []
    shell("echo hello", unfenced_because="a test")
    assert run_attempt(work()).text == "hello\n"


def test_where_no_fence_is_allowed_it_is_refused_and_says_why(tmp_path, monkeypatch):
    bwrap = tmp_path / "bwrap"
    bwrap.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n"
    )
    bwrap.chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setattr(fence, "_NOBODY", os.getuid())
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    shell("echo hello")
    failed = failure(work())
    assert (failed.kind, "No permissions to create" in failed.says) == ("misconfigured", True)


FORKS = """
import os, time
count = 0
try:
    while os.fork():
        count += 1
    time.sleep(300)
except OSError:
    print(count)
"""


def test_a_fork_bomb_is_bounded_and_gone():
    python(FORKS, marker="bomb-71", processes_max=40)
    assert 30 < int(run_attempt(work()).text) < 40
    assert_gone("bomb-71")


def assert_gone(marker):
    """No process of the command is left, and the runner can start the next one."""
    wait_until(lambda: not running_with(marker))
    assert_the_next_works()


def test_a_full_folder_is_full_for_itself():
    shell(
        "fallocate -l 400000 a; head -c 900000 /dev/zero > b; head -c 900000 /dev/zero > /tmp/c;"
        "head -c 99000000 /dev/zero > /dev/shm/d; cat a b /tmp/c /dev/shm/d | wc -c",
        folder_bytes_max=2**20,
    )
    assert int(run_attempt(work()).text) <= 2 * 2**20
    assert_the_next_works()


def test_one_that_makes_too_many_files_is_ended(monkeypatch):
    monkeypatch.setattr(fence, "_FILES_MAX", 50)
    shell("seq 100 | xargs touch; sleep 300", marker="files-72")
    assert failure(work()).says == "Its working folder had more than 50 files."
    assert_gone("files-72")


def test_one_that_prints_without_end_is_ended(monkeypatch):
    monkeypatch.setattr(fence, "_PRINTED_BYTES_MAX", 3_000_000)
    shell("cat /dev/zero", marker="prints-73")
    assert failure(work()).says == "It printed more than 3,000,000 bytes."
    assert_gone("prints-73")


def test_one_process_cannot_take_more_memory_than_all_may():
    python("bytearray(10_000_000_000)", memory_bytes_max=100_000_000)
    assert "MemoryError" in failure(work()).says


def test_many_processes_that_take_too_much_memory_together_are_ended():
    python(
        "import os, time; os.fork(); os.fork(); kept = bytearray(40_000_000); time.sleep(300)",
        marker="memory-74",
        memory_bytes_max=100_000_000,
    )
    assert failure(work()).says == "It used more than 100,000,000 bytes of memory."
    assert_gone("memory-74")


DAEMON = """
import os, time
if os.fork():
    print("done", flush=True)
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
for number in range(3):
    os.close(number)
time.sleep(300)
"""


def test_a_daemon_that_stays_is_gone():
    """O03."""
    python(DAEMON, marker="daemon-75")
    assert run_attempt(work()).text == "done\n"
    assert_gone("daemon-75")


def test_a_daemon_is_gone_when_its_worker_takes_the_attempt_back():
    python("import os, time\nos.setsid()\nos.fork()\ntime.sleep(300)", marker="daemon-76")

    async def cancelled():
        async with running() as runner:
            handle = await runner.spawn(work())
            await until(lambda: len(running_with("daemon-76")) > 2)
            await runner.cancel(work(), handle)

    asyncio.run(cancelled())
    assert_gone("daemon-76")
