"""The specification's examples of a task, from its submission over HTTP to its results.

With real processes: a web server, workers, and the sandbox provider behind the gateway.
"""

import json
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from orchestration.models import Task
from tests.api.caller import token_of
from tests.flows.processes import Processes
from tests.gateway.sandbox import RunningSandbox, running_sandbox
from tests.gateway.server import supply
from tests.keys.builders import PAID
from tests.orchestration.work import assert_finalized, say
from tests.threads import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("races"),
    pytest.mark.django_db(transaction=True),
]

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def provider():
    """The sandbox, for all tests of this file."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(provider):
    """The sandbox, its log empty."""
    provider.clear()
    return provider


@pytest.fixture
def ask(sandbox):
    """`ask("/tasks", name=…)` posts, `ask("/tasks/1")` gets, as ada does over HTTP; the answer."""
    supply("nvidia-1")
    environ = {
        "BUTLER_SANDBOX_URL": f"{sandbox.url}/v1",
        "BUTLER_TASK_WORKERS": "1",
        # Waiting tests send many requests.
        "BUTLER_API_REQUESTS_PER_MINUTE": "1000000",
    }
    processes = Processes(only=("web", "work"), environ=environ)
    headers = {"Authorization": f"Bearer {token_of('ada')}", "Content-Type": "application/json"}

    def request_json(path: str, **fields: Any) -> dict[str, Any]:
        body = json.dumps(fields).encode() if fields else None
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{processes.url}/api/v1{path}", data=body, headers=headers
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    try:
        processes.start()
        yield request_json
    finally:
        processes.kill_all()


def test_a_sentence_with_three_orders_becomes_three_sub_tasks_that_succeed(ask, sandbox):
    task = ask(
        "/tasks",
        name="Market report",
        description="Research market trends, analyze data, write report",
        total_budget=100_000,
    )
    assert [part["name"] for part in task["sub_tasks"]] == [
        "Research market trends",
        "analyze data",
        "write report",
    ]
    found = results_of_ended(ask, task["id"], status="completed")
    assert shape(found) == (3, 3, 0, 100.0)
    assert [each["status"] for each in found["details"]] == ["succeeded"] * 3
    for each in found["details"]:
        assert each["result"]
        assert each["tokensUsed"] > 0
        assert each["duration"] > 0
        assert (each["error"], each["attempts"], each["key"]) == (None, 1, "nvidia-1")
    assert_is_what_was_billed(found, sandbox, task["id"])


def test_one_of_three_parts_times_out_and_two_thirds_succeed(ask, sandbox):
    slow = say("write report", latency_ms=4_000)
    task = ask(
        "/tasks",
        name="Market report",
        sub_tasks=[
            {"id": "research", "description": "Research market trends"},
            {"id": "analyze", "description": "Analyze data"},
            {"id": "write", "description": slow},
        ],
        total_budget=100_000,
        running_timeout=2,
        retry_on_failure=False,
    )
    found = results_of_ended(ask, task["id"], status="partial")
    assert shape(found) == (3, 2, 1, 66.7)
    details = {each["id"]: each for each in found["details"]}
    assert [details[key]["status"] for key in ("research", "analyze", "write")] == [
        "succeeded",
        "succeeded",
        "failed",
    ]
    assert details["write"]["errorKind"] == "timeout"
    assert details["write"]["error"]
    assert details["research"]["result"]
    assert_is_what_was_billed(found, sandbox, task["id"])


def results_of_ended(ask: Ask, task: int, *, status: str) -> dict[str, Any]:
    """The results, once the task has ended and every attempt is finalized."""
    wait_until(lambda: ask(f"/tasks/{task}")["ended_at"], seconds=60)
    wait_until(lambda: not ask(f"/tasks/{task}")["lent"], seconds=30)
    shown, found = ask(f"/tasks/{task}"), ask(f"/tasks/{task}/results")
    assert (shown["status"], shown["percent_done"]) == (status, 100.0)
    assert (shown["used"], shown["cost"]) == (found["totalTokensUsed"], found["totalCost"])
    return found


def shape(found: dict[str, Any]) -> tuple:
    """The figures of the specification's examples."""
    assert set(found) == {
        "totalSubTasks",
        "successful",
        "failed",
        "totalTokensUsed",
        "totalCost",
        "successRate",
        "details",
    }
    return found["totalSubTasks"], found["successful"], found["failed"], found["successRate"]


def assert_is_what_was_billed(found: dict, sandbox: RunningSandbox, task: int) -> None:
    """Tokens and cost are those of the provider's own log, and the books balance."""
    wait_until(lambda: not sandbox.under_way())
    log = sandbox.log()
    assert len(log) == 3
    tokens = sum(row["input"] + row["output"] for row in log)
    cost = sum(row["input"] * PAID.input + row["output"] * PAID.output for row in log) / 1000
    assert found["totalTokensUsed"] == tokens
    assert sum(each["tokensUsed"] for each in found["details"]) == tokens
    assert Decimal(found["totalCost"]) == cost
    assert_finalized(Task.objects.get(pk=task))
