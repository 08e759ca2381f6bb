"""The sandbox provider starts fast and writes down every call."""

import json
import subprocess
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.gateway.sandbox import (
    CHAT,
    MESSAGES,
    ROOT,
    call,
    opened,
    request,
    running_sandbox,
)


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    file = tmp_path_factory.mktemp("sandbox") / "calls.jsonl"
    with running_sandbox("--log", str(file)) as sandbox:
        sandbox.file = file
        yield sandbox


def test_it_starts_without_django():
    code = "import sys, gateway.sandbox.server; print('django' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout == "False\n", ran.stderr


def test_a_secret_is_never_logged(sandbox):
    opened(sandbox, CHAT, request(CHAT, "Hello"), key="sk-very-secret").read()
    (row,) = sandbox.log()
    assert len(row["key"]) == 12
    assert "sk-very-secret" not in sandbox.file.read_text()


def test_the_log_can_be_read_on_and_summed_up(sandbox):
    for number in range(1, 5):
        call(sandbox, CHAT, f"[[sandbox input={number * 100} output=5]]")
    call(sandbox, CHAT, "[[sandbox status=500]]")
    rows = sandbox.log()
    assert sandbox.log(after=rows[1]["number"]) == rows[2:]
    totals = sandbox.totals()["ada"]
    assert (totals["calls"], totals["failed"], totals["input"], totals["output"]) == (
        5,
        1,
        1000,
        20,
    )
    assert sandbox.totals(by="route")[CHAT] == totals
    sandbox.clear()
    assert (sandbox.log(), sandbox.totals()) == ([], {})


def test_the_file_has_what_the_log_has(sandbox):
    call(sandbox, MESSAGES)
    logged = sandbox.log()
    assert [json.loads(sandbox.file.read_text().splitlines()[-1])] == logged


def test_the_command_runs_the_same_server():
    ran = subprocess.Popen(
        [sys.executable, "manage.py", "sandbox_provider", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = ran.stdout.readline().split()[-1]
        connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.request("HEAD", "/")
        assert connection.getresponse().status == 200
    finally:
        ran.terminate()
        ran.wait(timeout=10)
        ran.stdout.close()


def test_models_are_listed(sandbox):
    with opened(sandbox, "/v1/models", None, method="GET") as answer:
        assert len(json.load(answer)["data"]) == 3
